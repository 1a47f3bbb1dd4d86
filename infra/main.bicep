targetScope = 'subscription'

metadata name = 'Realtime token broker'
metadata description = 'Functions (Flex Consumption) behind a Static Web App, an Azure OpenAI realtime deployment, and what both need. No keys.'

// ---- Where and what it is called ------------------------------------------------------------

@description('Name of the azd environment; names and tags are made from it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of the app and, unless modelLocation says otherwise, of the model: one that has realtime models. The first two are those that the documentation of realtime names.')
@allowed(['eastus2', 'swedencentral', 'centralus', 'canadacentral', 'francecentral'])
@metadata({ azd: { type: 'location', usageName: ['OpenAI.GlobalStandard.gpt-realtime-1.5,10'] } })
param location string

@description('Region of the Static Web App; empty chooses the nearest of the five that have them.')
param webLocation string = ''

@description('Tags that everything gets, beside azd-env-name.')
param tags object = {}

@description('Name of the resource group; empty makes one from the environment\'s name. So for every name below.')
param resourceGroupName string = ''

@description('Name of the function app.')
param functionAppName string = ''

@description('Name of the storage account.')
param storageAccountName string = ''

@description('Name of the key vault that is made.')
param keyVaultName string = ''

@description('Name of the Azure OpenAI account that is made.')
param aiAccountName string = ''

@description('Name of the Static Web App.')
param staticWebAppName string = ''

@description('Principal id of whoever deploys: gets the right to use the model, nothing else. Empty: nobody does.')
param principalId string = ''

@description('Kind of that principal: User, or ServicePrincipal in a pipeline.')
@allowed(['User', 'ServicePrincipal', 'Group'])
param principalType string = 'User'

// ---- The model ------------------------------------------------------------------------------

@description('Region of the Azure OpenAI account; empty: location.')
param modelLocation string = ''

@description('Kind of account that is made.')
@allowed(['OpenAI', 'AIServices'])
param aiAccountKind string = 'OpenAI'

@description('Name of an account to use instead of making one; it needs a subdomain of its own.')
param existingAiAccountName string = ''

@description('Resource group of that account; empty: the deployment\'s own.')
param existingAiAccountResourceGroup string = ''

@description('Make the model deployments. Off: they are there already.')
param enableModelDeployment bool = true

@description('Realtime model.')
param modelName string = 'gpt-realtime-1.5'

@description('Version of the realtime model.')
param modelVersion string = '2026-02-23'

@description('Name of the realtime deployment; empty: the model\'s.')
param modelDeploymentName string = ''

@description('Kind of deployment.')
@allowed(['GlobalStandard', 'DataZoneStandard'])
param modelSku string = 'GlobalStandard'

@description('Capacity of the realtime deployment in units.')
@minValue(1)
param modelCapacity int = 10

@description('Content filter policy of the deployments.')
param raiPolicyName string = 'Microsoft.DefaultV2'

@description('Role on the account that the app gets.')
@allowed(['Cognitive Services User', 'Cognitive Services OpenAI User'])
param modelRole string = 'Cognitive Services User'

@description('Also deploy a transcription model: captions and transcripts have the caller\'s words only with one.')
param enableTranscription bool = false

@description('Transcription model, and the name of its deployment.')
param transcriptionModelName string = 'gpt-realtime-whisper'

@description('Version of the transcription model.')
param transcriptionModelVersion string = '2026-05-06'

@description('Capacity of the transcription deployment in units.')
@minValue(1)
param transcriptionCapacity int = 10

// ---- The app --------------------------------------------------------------------------------

@description('Link the function app to the Static Web App. Off: the page calls it directly, with Entra tokens and ALLOWED_ORIGINS.')
param enableLinkedBackend bool = true

@description('Memory of a function instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most function instances.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Requests that one instance takes at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('Instances kept warm for requests: costs money all month, saves the first caller a cold start.')
param alwaysReadyHttp int = 0

@description('Instances kept warm for the observer.')
param alwaysReadyObserver int = 0

@description('Redundancy of the storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('The broker\'s secret. A preprovision hook makes it, once; empty leaves the one in the vault.')
@secure()
param brokerSecret string = ''

@description('Name of a key vault to use instead of making one; it has to use role-based access.')
param existingKeyVaultName string = ''

@description('Resource group of that vault; empty: the deployment\'s own.')
param existingKeyVaultResourceGroup string = ''

@description('Protect the vault against purging: on for production, off where azd down is to be followed by azd up.')
param enablePurgeProtection bool = false

@description('Client id of an Entra app registration for sign-in; empty: the built-in one, open to any Microsoft account.')
param signInClientId string = ''

@description('Client secret of that registration.')
@secure()
param signInClientSecret string = ''

// ---- What the broker is told (docs/settings.md) ---------------------------------------------

@description('REALTIME_VOICE.')
param realtimeVoice string = ''

@description('REALTIME_INSTRUCTIONS.')
param realtimeInstructions string = ''

@description('REALTIME_PROFILES.')
param realtimeProfiles string = 'profiles'

@description('REALTIME_TOKEN_SCOPE.')
param realtimeTokenScope string = 'https://ai.azure.com/.default'

@description('REALTIME_SAFETY_IDENTIFIER: tell the endpoint who calls, as a keyed hash.')
@allowed(['on', 'off'])
param realtimeSafetyIdentifier string = 'off'

@description('KEY_VAULT_TTL_SECONDS.')
param keyVaultTtlSeconds int = 300

@description('TOKEN_ENDPOINT.')
@allowed(['on', 'off'])
param tokenEndpoint string = 'on'

@description('TOKEN_SECONDS.')
@minValue(10)
@maxValue(7200)
param tokenSeconds int = 60

@description('CALLER_AUTH.')
param callerAuth string = 'static-web-apps'

@description('ENTRA_TENANT_ID.')
param entraTenantId string = ''

@description('ENTRA_AUDIENCE.')
param entraAudience string = ''

@description('ENTRA_REQUIRED_SCOPE.')
param entraRequiredScope string = ''

@description('ALLOWED_ORIGINS beside the page\'s own, comma-separated.')
param allowedOrigins string = ''

@description('CALLER_TRUSTED_PROXIES.')
param callerTrustedProxies int = 0

@description('LIMIT_STARTS_PER_MINUTE.')
param limitStartsPerMinute int = 6

@description('LIMIT_LIVE_CALLS.')
param limitLiveCalls int = 2

@description('LIMIT_CALL_SECONDS.')
@minValue(10)
@maxValue(3600)
param limitCallSeconds int = 900

@description('LIMIT_TOKENS_PER_DAY.')
param limitTokensPerDay int = 0

@description('LIMIT_LIVE_CALLS_TOTAL.')
param limitLiveCallsTotal int = 0

@description('OBSERVER.')
@allowed(['off', 'eager', 'required'])
param observer string = 'eager'

@description('TRANSCRIPTS. Recording people is a decision, and in many places one that needs their consent.')
@allowed(['off', 'on'])
param transcripts string = 'off'

@description('TRANSCRIPT_REDACTION: card numbers, addresses and the like are taken out before anything is written.')
@allowed(['on', 'off'])
param transcriptRedaction string = 'on'

@description('Days that transcripts are kept; 0: until somebody deletes them.')
param transcriptRetentionDays int = 30

// ---- Watching it ----------------------------------------------------------------------------

@description('Resource id of a Log Analytics workspace to use instead of making one.')
param existingWorkspaceId string = ''

@description('Days that logs are kept in the workspace that is made.')
param logRetentionDays int = 30

@description('Most that the workspace takes in a day, in GB; -1 for no cap.')
param logDailyCapGb int = -1

@description('Send the audit logs and metrics of the account, the vault and storage to the workspace.')
param enableDiagnostics bool = true

@description('Make the alerts.')
param enableAlerts bool = true

@description('Address that alerts and the budget are sent to.')
param alertEmail string = ''

@description('Monthly budget in the currency of the subscription; 0: none. Some kinds of subscription have no budgets.')
param monthlyBudget int = 0

@description('First day of the budget\'s first month, as 2026-11-01; a preprovision hook writes it once.')
param budgetStartDate string = ''

// ---- The network ----------------------------------------------------------------------------

@description('Send the app\'s outbound traffic through a virtual network that is made.')
param enableVirtualNetwork bool = false

@description('Address space of that network.')
param virtualNetworkAddressPrefix string = '10.42.0.0/24'

@description('Addresses of the function app\'s subnet in it.')
param appSubnetPrefix string = '10.42.0.0/26'

@description('Addresses of the private endpoints\' subnet in it.')
param endpointSubnetPrefix string = '10.42.0.64/26'

@description('Reach storage and the vault through private endpoints only. Needs enableVirtualNetwork.')
param enablePrivateEndpoints bool = false

@description('Subnet of an existing network for outbound traffic, delegated to Microsoft.App/environments; instead of enableVirtualNetwork.')
param existingSubnetId string = ''

@description('Make a network security group that opens port 3478 for subnets where browsers sit.')
param enableTurnRule bool = true

@description('Name of an existing firewall policy that gets the rule for port 3478; empty: none.')
param firewallPolicyName string = ''

@description('Resource group of that policy; empty: the deployment\'s own.')
param firewallPolicyResourceGroup string = ''

// ---- Names ----------------------------------------------------------------------------------

var short = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, { 'azd-env-name': environmentName })
var groupName = empty(resourceGroupName) ? '${short.resourceGroup}${environmentName}' : resourceGroupName
var appName = empty(functionAppName) ? '${short.functionApp}${token}' : functionAppName
var storageName = empty(storageAccountName) ? '${short.storage}${token}' : storageAccountName
var newVaultName = empty(keyVaultName) ? '${short.keyVault}${token}' : keyVaultName
var vaultName = empty(existingKeyVaultName) ? newVaultName : existingKeyVaultName
var vaultGroup = empty(existingKeyVaultResourceGroup) ? groupName : existingKeyVaultResourceGroup
var newAccountName = empty(aiAccountName) ? '${short.aiAccount}${token}' : aiAccountName
var accountName = empty(existingAiAccountName) ? newAccountName : existingAiAccountName
var accountGroup = empty(existingAiAccountResourceGroup) ? groupName : existingAiAccountResourceGroup
var webName = empty(staticWebAppName) ? '${short.staticWebApp}${token}' : staticWebAppName
var deploymentName = empty(modelDeploymentName) ? modelName : modelDeploymentName
var accountLocation = empty(modelLocation) ? location : modelLocation
var nearestWebLocation = {
  eastus2: 'eastus2'
  swedencentral: 'westeurope'
  centralus: 'centralus'
  canadacentral: 'eastus2'
  francecentral: 'westeurope'
}
var siteLocation = empty(webLocation) ? nearestWebLocation[location] : webLocation
var brokerSecretName = 'broker-secret'
var observerFunction = 'observe_call'
var privately = enableVirtualNetwork && enablePrivateEndpoints

// ---- Everything -----------------------------------------------------------------------------

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: '${short.identity}${token}'
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: '${short.logAnalytics}${token}'
    componentName: '${short.applicationInsights}${token}'
    location: location
    tags: allTags
    existingWorkspaceId: existingWorkspaceId
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
    principalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: storageName
    location: location
    tags: allTags
    sku: storageSku
    principalId: identity.outputs.principalId
    transcriptRetentionDays: transcriptRetentionDays
    publicNetworkAccess: privately ? 'Disabled' : 'Enabled'
    workspaceId: enableDiagnostics ? monitoring.outputs.workspaceId : ''
  }
}

module vault 'modules/vault.bicep' = if (empty(existingKeyVaultName)) {
  name: 'vault'
  scope: group
  params: {
    name: newVaultName
    location: location
    tags: allTags
    enablePurgeProtection: enablePurgeProtection
    publicNetworkAccess: privately ? 'Disabled' : 'Enabled'
    workspaceId: enableDiagnostics ? monitoring.outputs.workspaceId : ''
  }
}

module vaultAccess 'modules/vault-access.bicep' = {
  name: 'vault-access'
  scope: resourceGroup(vaultGroup)
  dependsOn: [vault]
  params: {
    vaultName: vaultName
    principalId: identity.outputs.principalId
    brokerSecret: brokerSecret
    nameInVault: brokerSecretName
  }
}

module account 'modules/account.bicep' = if (empty(existingAiAccountName)) {
  name: 'account'
  scope: group
  params: {
    name: newAccountName
    location: accountLocation
    tags: allTags
    kind: aiAccountKind
    workspaceId: enableDiagnostics ? monitoring.outputs.workspaceId : ''
  }
}

module modelAccess 'modules/model-access.bicep' = {
  name: 'model-access'
  scope: resourceGroup(accountGroup)
  dependsOn: [account]
  params: {
    accountName: accountName
    principalId: identity.outputs.principalId
    developerPrincipalId: principalId
    developerPrincipalType: principalType
    roleName: modelRole
  }
}

module model 'modules/model.bicep' = if (enableModelDeployment) {
  name: 'model'
  scope: resourceGroup(accountGroup)
  dependsOn: [account]
  params: {
    accountName: accountName
    deploymentName: deploymentName
    modelName: modelName
    modelVersion: modelVersion
    sku: modelSku
    capacity: modelCapacity
    raiPolicyName: raiPolicyName
    enableTranscription: enableTranscription
    transcriptionModelName: transcriptionModelName
    transcriptionModelVersion: transcriptionModelVersion
    transcriptionCapacity: transcriptionCapacity
  }
}

module web 'modules/web.bicep' = {
  name: 'web'
  scope: group
  params: {
    name: webName
    location: siteLocation
    tags: allTags
    signInClientId: signInClientId
    signInClientSecret: signInClientSecret
  }
}

module network 'modules/network.bicep' = if (enableVirtualNetwork) {
  name: 'network'
  scope: group
  params: {
    name: '${short.virtualNetwork}${token}'
    securityGroupName: '${short.networkSecurityGroup}${token}'
    location: location
    tags: allTags
    addressPrefix: virtualNetworkAddressPrefix
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
  }
}

var networkId = resourceId(
  subscription().subscriptionId,
  groupName,
  'Microsoft.Network/virtualNetworks',
  '${short.virtualNetwork}${token}'
)
var storageId = resourceId(subscription().subscriptionId, groupName, 'Microsoft.Storage/storageAccounts', storageName)
var vaultId = resourceId(subscription().subscriptionId, vaultGroup, 'Microsoft.KeyVault/vaults', vaultName)
var suffix = environment().suffixes.storage
var privateParts = [
  { part: 'blob', target: storageId, zone: 'privatelink.blob.${suffix}' }
  { part: 'queue', target: storageId, zone: 'privatelink.queue.${suffix}' }
  { part: 'table', target: storageId, zone: 'privatelink.table.${suffix}' }
  { part: 'vault', target: vaultId, zone: 'privatelink.vaultcore.azure.net' }
]
var endpoints = privately ? privateParts : []

@batchSize(1)
module privateEndpoint 'modules/private-endpoint.bicep' = [
  for each in endpoints: {
    name: 'private-endpoint-${each.part}'
    scope: group
    dependsOn: [network, storage, vault]
    params: {
      name: '${short.privateEndpoint}${each.part}-${token}'
      location: location
      tags: allTags
      targetId: each.target
      groupId: each.part
      zoneName: each.zone
      subnetId: '${networkId}/subnets/private-endpoints'
      networkId: networkId
    }
  }
]

var ownSubnetId = enableVirtualNetwork ? '${networkId}/subnets/app' : ''
var origins = empty(allowedOrigins) ? [] : split(allowedOrigins, ',')

module api 'modules/api.bicep' = {
  name: 'api'
  scope: group
  dependsOn: [network, privateEndpoint]
  params: {
    name: appName
    planName: '${short.plan}${token}'
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    packageContainer: storage.outputs.packageContainer
    connectionString: monitoring.outputs.connectionString
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReadyHttp: alwaysReadyHttp
    alwaysReadyObserver: alwaysReadyObserver
    observerFunction: observerFunction
    subnetId: empty(existingSubnetId) ? ownSubnetId : existingSubnetId
    brokerSettings: {
      REALTIME_PROVIDER: 'azure'
      REALTIME_ENDPOINT: modelAccess.outputs.endpoint
      REALTIME_MODEL: deploymentName
      REALTIME_VOICE: realtimeVoice
      REALTIME_INSTRUCTIONS: realtimeInstructions
      REALTIME_TRANSCRIPTION_MODEL: enableTranscription ? transcriptionModelName : ''
      REALTIME_PROFILES: realtimeProfiles
      REALTIME_TOKEN_SCOPE: realtimeTokenScope
      REALTIME_SAFETY_IDENTIFIER: realtimeSafetyIdentifier
      KEY_VAULT_URI: vaultAccess.outputs.uri
      KEY_VAULT_TTL_SECONDS: string(keyVaultTtlSeconds)
      TOKEN_ENDPOINT: tokenEndpoint
      TOKEN_SECONDS: string(tokenSeconds)
      CALLER_AUTH: callerAuth
      STATIC_WEB_APP_LINKED: enableLinkedBackend ? 'on' : 'off'
      ENTRA_TENANT_ID: entraTenantId
      ENTRA_AUDIENCE: entraAudience
      ENTRA_REQUIRED_SCOPE: entraRequiredScope
      ALLOWED_ORIGINS: join(concat([web.outputs.uri], origins), ',')
      CALLER_TRUSTED_PROXIES: string(callerTrustedProxies)
      LIMIT_STARTS_PER_MINUTE: string(limitStartsPerMinute)
      LIMIT_LIVE_CALLS: string(limitLiveCalls)
      LIMIT_CALL_SECONDS: string(limitCallSeconds)
      LIMIT_TOKENS_PER_DAY: string(limitTokensPerDay)
      LIMIT_LIVE_CALLS_TOTAL: string(limitLiveCallsTotal)
      OBSERVER: observer
      TRANSCRIPTS: transcripts
      TRANSCRIPT_REDACTION: transcriptRedaction
      BROKER_SECRET_NAME: brokerSecretName
    }
  }
}

module webLink 'modules/web-link.bicep' = if (enableLinkedBackend) {
  name: 'web-link'
  scope: group
  params: {
    siteName: web.outputs.name
    backendId: api.outputs.id
    backendRegion: location
  }
}

module alerts 'modules/alerts.bicep' = if (enableAlerts) {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: allTags
    namePrefix: short.alert
    actionGroupName: '${short.actionGroup}${token}'
    workspaceId: monitoring.outputs.workspaceId
    appName: appName
    storageName: storageName
    email: alertEmail
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0 && !empty(budgetStartDate)) {
  name: 'budget'
  scope: group
  params: {
    name: '${short.budget}${token}'
    amount: monthlyBudget
    startDate: budgetStartDate
    email: alertEmail
  }
}

module turnRule 'modules/turn-rule.bicep' = if (enableTurnRule) {
  name: 'turn-rule'
  scope: group
  params: {
    modelRegion: accountLocation
    location: location
    tags: allTags
    securityGroupName: '${short.networkSecurityGroup}clients-${token}'
  }
}

module firewallRule 'modules/turn-rule.bicep' = if (!empty(firewallPolicyName)) {
  name: 'firewall-rule'
  scope: resourceGroup(empty(firewallPolicyResourceGroup) ? groupName : firewallPolicyResourceGroup)
  dependsOn: [group]
  params: {
    modelRegion: accountLocation
    location: location
    securityGroupName: ''
    firewallPolicyName: firewallPolicyName
    ruleCollectionGroupName: '${short.ruleCollectionGroup}realtime-turn'
  }
}

// ---- What the hooks need to know; they become variables of the azd environment --------------

@description('Resource group of everything that was made.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output SERVICE_API_NAME string = api.outputs.name

@description('Address of the function app itself.')
output SERVICE_API_URI string = api.outputs.uri

@description('Address of the page.')
output SERVICE_WEB_URI string = web.outputs.uri

@description('Whether the function app is the linked backend of the page.')
output WEB_BACKEND_LINKED bool = enableLinkedBackend

@description('Where the model is reached.')
output REALTIME_ENDPOINT string = modelAccess.outputs.endpoint

@description('Name of the realtime deployment.')
output REALTIME_MODEL string = deploymentName

@description('Entra scope of the model\'s endpoint.')
output REALTIME_TOKEN_SCOPE string = realtimeTokenScope

@description('Whether pages may have keys, and so talk to the model\'s endpoint themselves.')
output TOKEN_ENDPOINT string = tokenEndpoint

@description('How callers are recognised; the page\'s routes follow from it.')
output CALLER_AUTH string = callerAuth
