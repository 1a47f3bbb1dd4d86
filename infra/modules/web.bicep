metadata description = 'The Static Web App that serves the page and signs callers in.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the Static Web App.')
param name string

@description('Region: one of the five that offer Static Web Apps.')
@allowed(['westus2', 'centralus', 'eastus2', 'westeurope', 'eastasia'])
param location string

@description('Tags of the Static Web App.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

@description('Client id of an Entra app registration, to admit one tenant only; if empty, the built-in sign-in accepts any Microsoft account.')
param signInClientId string

@description('Client secret of that registration.')
@secure()
param signInClientSecret string

resource site 'Microsoft.Web/staticSites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, typeTags[?'Microsoft.Web/staticSites'] ?? {}, { 'azd-service-name': 'web' })
  // A linked backend requires Standard.
  sku: { name: 'Standard', tier: 'Standard' }
  properties: {
    provider: 'Custom'
    allowConfigFileUpdates: true
    // Preview environments have no linked backend.
    stagingEnvironmentPolicy: 'Disabled'
    publicNetworkAccess: 'Enabled'
  }
}

resource settings 'Microsoft.Web/staticSites/config@2025-03-01' = if (!empty(signInClientId)) {
  parent: site
  name: 'appsettings'
  properties: {
    SIGN_IN_CLIENT_ID: signInClientId
    SIGN_IN_CLIENT_SECRET: signInClientSecret
  }
}

@description('Address of the page.')
output uri string = 'https://${site.properties.defaultHostname}'
