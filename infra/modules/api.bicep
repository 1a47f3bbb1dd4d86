metadata description = 'The function app on Flex Consumption. Its identity has its roles before the app starts.'

import { resourceTags } from 'types.bicep'

@description('Name of the function app. Keep it stable: a Static Web App is linked to one backend, by name.')
param name string

@description('Name of its plan.')
param planName string

@description('Region of both.')
param location string

@description('Tags of both.')
param tags resourceTags

@description('Resource id of the identity.')
param identityId string

@description('Client id of the identity.')
param identityClientId string

@description('Resource id of the identity that only the package is stored and fetched with.')
param deploymentIdentityId string

@description('Blob endpoint of the storage account.')
param blobEndpoint string

@description('Queue endpoint of the storage account.')
param queueEndpoint string

@description('Table endpoint of the storage account.')
param tableEndpoint string

@description('Container for the app package.')
param packageContainer string

@description('Connection string of Application Insights.')
param connectionString string

@description('The broker\'s own app settings (docs/settings.md).')
param brokerSettings { *: string }

@description('Memory of an instance in MB; CPU is proportional to it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('Maximum number of instances: 1 to 1000.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

@description('Concurrent requests per instance.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('Instances kept warm for requests. With 0, the first call after a pause waits for a cold start.')
param alwaysReadyHttp int

@description('Instances kept warm for the observer.')
param alwaysReadyObserver int

@description('Name of the function that observes calls.')
param observerFunction string

@description('Subnet for outbound traffic, delegated to Microsoft.App/environments; empty for none.')
param subnetId string

var warmHttp = alwaysReadyHttp > 0 ? [{ name: 'http', instanceCount: alwaysReadyHttp }] : []
var observerGroup = 'function:${observerFunction}'
var warmObserver = alwaysReadyObserver > 0 ? [{ name: observerGroup, instanceCount: alwaysReadyObserver }] : []
var platformSettings = {
  AzureWebJobsStorage__blobServiceUri: blobEndpoint
  AzureWebJobsStorage__queueServiceUri: queueEndpoint
  AzureWebJobsStorage__tableServiceUri: tableEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AZURE_CLIENT_ID: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  // An instance that observes as many calls as it may takes no messages, so that another one gets them.
  AzureFunctionsJobHost__extensions__queues__newBatchThreshold: string(int(brokerSettings.OBSERVER_CAPACITY) - 1)
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {}, '${deploymentIdentityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}${packageContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: deploymentIdentityId }
        }
      }
      runtime: { name: 'python', version: '3.12' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: concat(warmHttp, warmObserver)
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      // CORS is the broker's decision alone (ALLOWED_ORIGINS).
      cors: { allowedOrigins: [], supportCredentials: false }
    }
  }
}

// The complete list: each provisioning replaces all of it, and restarts the app if it has changed.
resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: union(platformSettings, brokerSettings)
}

// Not a loop: the name determines the type, and the compiler checks only names it knows (BCP225).
resource scmPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

resource ftpPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

@description('Resource id of the function app.')
output id string = app.id

@description('Address of the function app itself, behind the linked site.')
output uri string = 'https://${app.properties.defaultHostName}'
