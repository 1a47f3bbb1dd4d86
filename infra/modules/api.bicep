metadata description = 'The function app on Flex Consumption. It starts with an identity whose roles are there already.'

@description('Name of the function app. Stable: a Static Web App is linked to one backend, by name.')
param name string

@description('Name of its plan.')
param planName string

@description('Region of both.')
param location string

@description('Tags of both.')
param tags object

@description('Resource id of the identity.')
param identityId string

@description('Client id of the identity.')
param identityClientId string

@description('Blob endpoint of the storage account.')
param blobEndpoint string

@description('Queue endpoint of the storage account.')
param queueEndpoint string

@description('Table endpoint of the storage account.')
param tableEndpoint string

@description('Container that the app package is put into.')
param packageContainer string

@description('Connection string of Application Insights.')
param connectionString string

@description('The broker\'s own app settings (docs/settings.md).')
param brokerSettings object

@description('Memory of an instance in MB; cores grow with it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('Most instances: 1 to 1000.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

@description('Requests that one instance takes at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('Instances kept warm for requests. 0: the first call after a pause waits for a cold start.')
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
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}${packageContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
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
      // Who may call from where is the broker's decision (ALLOWED_ORIGINS), made once.
      cors: { allowedOrigins: [], supportCredentials: false }
    }
  }
}

// One complete list: each provisioning replaces all of it, and restarts the app if it differs.
resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: union(platformSettings, brokerSettings)
}

// Not a loop: the name decides the type, and the compiler checks only a name that it knows (BCP225).
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

@description('Name of the function app.')
output name string = app.name

@description('Address of the function app itself, which the linked site stands in front of.')
output uri string = 'https://${app.properties.defaultHostName}'
