metadata description = 'The function app on Flex Consumption. Its identity has its roles before the app starts.'

import { modelEndpoint, resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the function app. Keep it stable: a Static Web App is linked to one backend, by name.')
param name string

@description('Name of its plan.')
param planName string

@description('Region of both.')
param location string

@description('Tags of both.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

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

@description('The accounts as elements of REALTIME_ENDPOINTS. A single one needs no list.')
param modelEndpoints modelEndpoint[]

@description('Further elements of REALTIME_ENDPOINTS, a JSON list.')
param furtherEndpoints string

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

@description('Spread the plan over availability zones.')
param zoneRedundant bool

@description('Log Analytics workspace for the logs and metrics of the app itself; empty for none.')
param workspaceId string

@description('Whether another host observes the calls of this app, and this one does not.')
param observeElsewhere bool

@description('Subnet for outbound traffic, delegated to Microsoft.App/environments; empty for none.')
param subnetId string

// A zonal plan keeps at least two instances of each group warm.
var leastWarm = zoneRedundant ? 2 : 0
var httpCount = max(alwaysReadyHttp, leastWarm)
var observerCount = max(alwaysReadyObserver, leastWarm)
var warmHttp = httpCount > 0 ? [{ name: 'http', instanceCount: httpCount }] : []
var observerGroup = 'function:${observerFunction}'
var warmObserver = observerCount > 0 ? [{ name: observerGroup, instanceCount: observerCount }] : []
// One of a known name adds to that endpoint: its models, its weight.
var further = json(furtherEndpoints)
var furtherByName = toObject(further, each => each.name)
var knownNames = map(modelEndpoints, each => each.name)
var known = map(modelEndpoints, each => union(each, furtherByName[?each.name] ?? {}))
var allEndpoints = concat(known, filter(further, each => !contains(knownNames, each.name)))
var severalEndpoints = length(modelEndpoints) > 1 || !empty(further)
var endpointSettings = {
  REALTIME_ENDPOINTS: severalEndpoints ? string(allEndpoints) : ''
}
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
  tags: union(tags, typeTags[?'Microsoft.Web/serverfarms'] ?? {})
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, typeTags[?'Microsoft.Web/sites'] ?? {}, { 'azd-service-name': 'api' })
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
  properties: union(
    platformSettings,
    observeElsewhere ? { 'AzureWebJobs.${observerFunction}.Disabled': 'true' } : {},
    brokerSettings,
    endpointSettings
  )
}

#disable-next-line use-recent-api-versions
resource siteLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  scope: app
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
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

// What OpenAI's own needs no address for.
var addresses = map(allEndpoints, each => each.?endpoint ?? 'https://api.openai.com')

@description('Addresses of the endpoints, comma-separated; empty if there is one.')
output endpointAddresses string = severalEndpoints ? join(addresses, ',') : ''
