targetScope = 'subscription'

metadata name = 'Realtime token broker'
metadata description = 'Functions (Flex Consumption) behind a Static Web App, an Azure OpenAI realtime deployment, and everything they depend on. No keys.'

import { resourceTags, tagsByResourceType } from 'modules/types.bicep'

// ---- Location and names ---------------------------------------------------------------------

@description('Name of the azd environment; names and tags are derived from it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of the app and, unless modelLocation is set, of the model: one with realtime models. The first two are the ones in the realtime documentation.')
@allowed(['eastus2', 'swedencentral', 'centralus', 'canadacentral', 'francecentral'])
@metadata({ azd: { type: 'location' } })
param location string

@description('Region of the Static Web App; if empty, the nearest of the five that offer it.')
param webLocation string = ''

@description('Tags for all resources, in addition to azd-env-name.')
param tags resourceTags = {}

@description('Tags for the resources of one type in addition, by type: { \'Microsoft.Storage/storageAccounts\': { … } }.')
param typeTags tagsByResourceType = {}

@description('Tags as one line, for a variable of azd: name=value, comma-separated. With a type and a colon before it, a tag is for that type alone: Microsoft.Storage/storageAccounts:name=value.')
param tagLine string = ''

@description('Name of the resource group; if empty, derived from the environment\'s name, like every name below.')
param resourceGroupName string = ''

@description('Name of the function app.')
param functionAppName string = ''

@description('Name of the storage account.')
param storageAccountName string = ''

@description('Name of the new key vault.')
param keyVaultName string = ''

@description('Name of the new Azure OpenAI account.')
param aiAccountName string = ''

@description('Name of the Static Web App.')
param staticWebAppName string = ''

@description('Principal id of the deploying user, who gets a role to use the model and no other; empty for none.')
param principalId string = ''

@description('Give the deploying user that role. It lets a hook see when roles have taken effect, and the broker run on that user\'s laptop. false: nobody but the app may use the model.')
param enableDeveloperAccess bool = true

@description('Type of that principal: User, or ServicePrincipal in a pipeline.')
@allowed(['User', 'ServicePrincipal', 'Group'])
param principalType string = 'User'

// ---- The model ------------------------------------------------------------------------------

@description('Region of the Azure OpenAI account; if empty, location.')
param modelLocation string = ''

@description('Further regions of the model, comma-separated: each gets an account with the same deployments, and the broker shares calls out among all. "swedencentral:20": with 20 units instead of modelCapacity. More units, more calls.')
param modelLocations string = ''

@description('Kind of the new account.')
@allowed(['OpenAI', 'AIServices'])
param aiAccountKind string = 'OpenAI'

@description('Name of an existing account to use; it needs a custom subdomain.')
param existingAiAccountName string = ''

@description('Resource group of that account; if empty, the deployment\'s own.')
param existingAiAccountResourceGroup string = ''

@description('Further existing accounts to share calls out among: resource-group/account@region, comma-separated, with ":units" behind it for their share.')
param existingAiAccounts string = ''

@description('Further endpoints that this deployment knows nothing else of, such as OpenAI\'s: the JSON list of REALTIME_ENDPOINTS in Base64. A preprovision hook sets it.')
param realtimeEndpointsBase64 string = ''

@description('Endpoints at which no call starts any more while those under way go on: names, comma-separated. The first is "default", a new one has its region\'s name, an existing one its account\'s.')
param drainedEndpoints string = ''

@description('Create the model deployments; false if they exist already.')
param enableModelDeployment bool = true

@description('Realtime model.')
param modelName string = 'gpt-realtime-1.5'

@description('Version of the realtime model.')
param modelVersion string = '2026-02-23'

@description('Name of the realtime deployment; if empty, the model\'s.')
param modelDeploymentName string = ''

@description('Kind of deployment.')
@allowed(['GlobalStandard', 'DataZoneStandard'])
param modelSku string = 'GlobalStandard'

@description('Capacity of the realtime deployment in units. The default is half of the first quota tier, so that a second environment has room.')
@minValue(1)
param modelCapacity int = 5

@description('Content filter policy of the deployments.')
param raiPolicyName string = 'Microsoft.DefaultV2'

@description('The app\'s role on the account; empty: Cognitive Services User on an account that is created, which accepts no keys, and Cognitive Services OpenAI User, which cannot list keys, on an existing one.')
@allowed([
  ''
  'Cognitive Services OpenAI User'
  'Cognitive Services Data Contributor (Preview)'
  'Cognitive Services User'
])
param modelRole string = ''

@description('Also deploy a transcription model, without which captions and transcripts lack what the caller says.')
param enableTranscription bool = false

@description('Transcription model, and the name of its deployment.')
param transcriptionModelName string = 'gpt-realtime-whisper'

@description('Version of the transcription model.')
param transcriptionModelVersion string = '2026-05-06'

@description('Capacity of the transcription deployment in units.')
@minValue(1)
param transcriptionCapacity int = 10

@description('Also deploy a GPT-Live model, for profiles with "api": "live" (docs/live.md).')
param enableGptLive bool = false

@description('GPT-Live model, and the name of its deployment.')
param gptLiveModelName string = 'gpt-live-1'

@description('Version of the GPT-Live model. It has no default, because Azure documents neither its versions nor its regions: preflight lists those of the region.')
param gptLiveModelVersion string = ''

@description('Kind of the GPT-Live deployment.')
param gptLiveSku string = 'GlobalStandard'

@description('Capacity of the GPT-Live deployment in units.')
@minValue(1)
param gptLiveCapacity int = 1

@description('Also deploy a model that GPT-Live may delegate work to: it must be on the same account.')
param enableDelegationModel bool = false

@description('Model to delegate to, one with the Responses API, and the name of its deployment.')
param delegationModelName string = 'gpt-5.6-sol'

@description('Version of the model to delegate to; preflight lists those of the region.')
param delegationModelVersion string = ''

@description('Kind of its deployment.')
param delegationSku string = 'GlobalStandard'

@description('Capacity of its deployment in units.')
@minValue(1)
param delegationCapacity int = 10

// ---- The app --------------------------------------------------------------------------------

@description('Deploy a Static Web App with a page. If false, the app stands alone, for pages that are served elsewhere: docs/existing-site.md.')
param enableStaticWebApp bool = true

@description('Name of an existing Static Web App, on the Standard plan and without a backend, that the app is linked to, or whose page calls it directly. Its content and settings are not changed. Needs enableStaticWebApp false.')
param existingStaticWebAppName string = ''

@description('Resource group of that site; if empty, the deployment\'s own.')
param existingStaticWebAppResourceGroup string = ''

@description('Link the function app to the Static Web App. If false, the page calls it directly, with Entra tokens and ALLOWED_ORIGINS.')
param enableLinkedBackend bool = true

@description('Memory of a function instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Maximum number of function instances.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Concurrent requests per instance.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('Instances kept warm for requests: they cost money all month and save the first caller a cold start.')
param alwaysReadyHttp int = 0

@description('Instances kept warm for the observer.')
param alwaysReadyObserver int = 0

@description('Spread the plan over availability zones: at least two instances are kept warm for requests and for the observer, and cost money all month. Not every region has it, and storage should be Standard_ZRS or Standard_GZRS.')
param enableZoneRedundancy bool = false

@description('Redundancy of the storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('The broker\'s secret, created once by a preprovision hook; if empty, the one in the vault is kept.')
@secure()
param brokerSecret string = ''

@description('Name of an existing key vault to use; it must use role-based access.')
param existingKeyVaultName string = ''

@description('Resource group of that vault; if empty, the deployment\'s own.')
param existingKeyVaultResourceGroup string = ''

@description('Protect the vault against purging: true for production, false if azd up should work again after azd down.')
param enablePurgeProtection bool = false

@description('Client id of an Entra app registration for sign-in; if empty, the built-in one, which accepts any Microsoft account.')
param signInClientId string = ''

@description('Client secret of that registration.')
@secure()
param signInClientSecret string = ''

// ---- The broker's settings (docs/settings.md) -----------------------------------------------

@description('REALTIME_VOICE.')
param realtimeVoice string = ''

@description('REALTIME_INSTRUCTIONS.')
param realtimeInstructions string = ''

@description('REALTIME_INSTRUCTIONS in Base64, instead: azd writes variables into its parameters file as they are, and a quotation mark or a new line would break it. A preprovision hook sets it.')
param realtimeInstructionsBase64 string = ''

@description('REALTIME_PROFILES.')
param realtimeProfiles string = 'profiles'

@description('REALTIME_TOKEN_SCOPE; if empty, that of the cloud that is deployed to.')
param realtimeTokenScope string = ''

@description('REALTIME_SAFETY_IDENTIFIER: identify the caller to the endpoint by a keyed hash.')
@allowed(['on', 'off'])
param realtimeSafetyIdentifier string = 'off'

@description('LIVE_SESSION_FIELDS: optional fields of a live session that are sent; empty for none, which is all that Azure documents.')
param liveSessionFields string = ''

@description('REALTIME_ENDPOINT, where calls go through a gateway in front of the account (docs/gateway.md).')
param realtimeGatewayEndpoint string = ''

@description('REALTIME_GATEWAY_HEADER.')
param realtimeGatewayHeader string = ''

@description('REALTIME_GATEWAY_KEY_SECRET: the name of a secret in the key vault.')
param realtimeGatewayKeyInVault string = ''

@description('REALTIME_GATEWAY_AUTH.')
@allowed(['beside', 'instead'])
param realtimeGatewayAuth string = 'beside'

@description('REALTIME_SIDEBAND_ENDPOINT.')
param realtimeSidebandEndpoint string = ''

@description('KEY_VAULT_TTL_SECONDS.')
param keyVaultTtlSeconds int = 300

@description('TOKEN_ENDPOINT.')
@allowed(['on', 'off'])
param tokenEndpoint string = 'on'

@description('TOKEN_SECONDS.')
@minValue(10)
@maxValue(7200)
param tokenSeconds int = 15

@description('CALLER_AUTH.')
param callerAuth string = 'static-web-apps'

@description('ENTRA_TENANT_ID.')
param entraTenantId string = ''

@description('ENTRA_AUDIENCE.')
param entraAudience string = ''

@description('ENTRA_REQUIRED_SCOPE.')
param entraRequiredScope string = ''

@description('ENTRA_ISSUER.')
param entraIssuer string = ''

@description('ENTRA_KEYS_URL.')
param entraKeysUrl string = ''

@description('ENTRA_APP_KEYS.')
@allowed(['on', 'off'])
param entraAppKeys string = 'off'

@description('ALLOWED_ORIGINS in addition to the page\'s own, comma-separated.')
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

@description('LIMIT_CONVERSATION_SECONDS: of a conversation that goes on over several calls. 0: until the end of its first call.')
@minValue(0)
@maxValue(86400)
param limitConversationSeconds int = 0

@description('LIMIT_TOKENS_PER_DAY.')
param limitTokensPerDay int = 0

@description('LIMIT_SECONDS_PER_DAY.')
param limitSecondsPerDay int = 0

@description('LIMIT_LIVE_CALLS_TOTAL.')
param limitLiveCallsTotal int = 0

@description('LIVE_MAX_SESSIONS: the concurrent sessions of GPT-Live that the subscription\'s quota allows. 0: not limited here.')
param liveMaxSessions int = 0

@description('OBSERVER.')
@allowed(['off', 'eager', 'required'])
param observer string = 'eager'

@description('OBSERVER_CAPACITY: how many calls one instance observes at a time. host.json and scale.md say 100; more than 300 was not measured.')
@minValue(1)
@maxValue(1000)
param observerCapacity int = 100

@description('The app starts and ends calls, and another host with the same storage observes them (docs/hosting.md).')
param observeElsewhere bool = false

@description('TRANSCRIPTS. Recording people is a decision, and in many places it requires their consent.')
@allowed(['off', 'on'])
param transcripts string = 'off'

@description('TRANSCRIPT_REDACTION: card numbers, e-mail addresses and the like are removed before anything is written.')
@allowed(['on', 'off'])
param transcriptRedaction string = 'on'

@description('RECORDINGS: both voices of GPT-Live calls. A decision like TRANSCRIPTS, and a voice says more about a person.')
@allowed(['off', 'on'])
param recordings string = 'off'

@description('RETRY_FAILED_RESPONSES: a response that fails of a passing fault is asked for once more.')
@allowed(['on', 'off'])
param retryFailedResponses string = 'on'

@description('SLOW_TURN_MS: a turn that waits longer for its answer is logged, in milliseconds. 0: none is.')
@minValue(0)
@maxValue(60000)
param slowTurnMs int = 3000

@description('PRICE_TABLE: a file of your own prices, relative to the folder of the app.')
param priceTable string = ''

@description('CALL_ENDED_EVENTS: a message tells of each call that has ended, on a queue of its own.')
@allowed(['on', 'off'])
param callEndedEvents string = 'off'

@description('Principal id of the identity of the app that takes those messages; it gets a role on that queue alone. Empty for none.')
param callEndedPrincipalId string = ''

@description('Days to keep transcripts and recordings; 0 keeps them until they are deleted.')
param transcriptRetentionDays int = 30

// ---- Monitoring -----------------------------------------------------------------------------

@description('Resource id of an existing Log Analytics workspace to use.')
param existingWorkspaceId string = ''

@description('Days to keep logs in the new workspace.')
param logRetentionDays int = 30

@description('Daily ingestion cap of the workspace in GB; -1 for none.')
param logDailyCapGb int = -1

@description('Send the audit logs and metrics of the account, the vault and storage to the workspace.')
param enableDiagnostics bool = true

@description('Send the function app\'s own logs and metrics to the workspace too. Its traces are there already, by Application Insights: this doubles them, and adds the platform\'s.')
param enableSiteDiagnostics bool = false

@description('Lock storage, the vault, the accounts and the workspace that are created against deletion. Needs Owner; azd down then fails until the locks are removed.')
param enableDeleteLocks bool = false

@description('Create the alerts.')
param enableAlerts bool = true

@description('Request the app\'s health every quarter of an hour from five places outside, and alert where two fail. Needs enableAlerts; it costs more than all the other alerts (docs/cost.md).')
param enableWebTest bool = false

@description('E-mail address for alerts and the budget.')
param alertEmail string = ''

@description('Monthly budget in the currency of the subscription; 0 for none. Some subscription types do not support budgets.')
param monthlyBudget int = 0

@description('First day of the budget\'s first month, such as 2026-11-01; set once by a preprovision hook.')
param budgetStartDate string = ''

// ---- The network ----------------------------------------------------------------------------

@description('Route the app\'s outbound traffic through a new virtual network.')
param enableVirtualNetwork bool = false

@description('Address space of that network.')
param virtualNetworkAddressPrefix string = '10.42.0.0/24'

@description('Addresses of the function app\'s subnet in it.')
param appSubnetPrefix string = '10.42.0.0/26'

@description('Addresses of the private endpoints\' subnet in it.')
param endpointSubnetPrefix string = '10.42.0.64/26'

@description('Give the app\'s outbound traffic one public address of its own, by a NAT gateway. Needs enableVirtualNetwork.')
param enableNatGateway bool = false

@description('Reach storage and the vault through private endpoints only. Needs enableVirtualNetwork.')
param enablePrivateEndpoints bool = false

@description('Where the names of those endpoints are. Empty: in private DNS zones that are created. The resource id of a resource group with the zones, linked to the network already. none: a policy adds the records.')
param privateDnsZones string = ''

@description('Close storage and the vault to the public only once the app reaches them through their endpoints. A preprovision hook sets it where they are in use and open.')
param closeLast bool = false

@description('Existing subnet for outbound traffic, delegated to Microsoft.App/environments; instead of enableVirtualNetwork.')
param existingSubnetId string = ''

@description('Create a network security group that opens port 3478, for subnets with browsers.')
param enableTurnRule bool = true

@description('Resource id of an existing subnet with browsers to attach that group to; in the region of the app.')
param clientSubnetId string = ''

@description('Deny all other traffic of those subnets to the internet.')
param clientDenyInternet bool = false

@description('Name of an existing firewall policy to add the rule for port 3478 to; empty for none.')
param firewallPolicyName string = ''

@description('Resource group of that policy; if empty, the deployment\'s own.')
param firewallPolicyResourceGroup string = ''

// ---- Names ----------------------------------------------------------------------------------

var short = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tagWords = empty(tagLine) ? [] : split(tagLine, ',')
var commonWords = filter(tagWords, word => !contains(split(word, '=')[0], '/'))
var typeWords = filter(tagWords, word => contains(split(word, '=')[0], '/'))
var lineTags = toObject(
  commonWords,
  word => trim(split(word, '=')[0]),
  word => trim(join(skip(split(word, '='), 1), '='))
)
var taggedTypes = map(typeWords, word => trim(split(word, ':')[0]))
var lineTypeTags = toObject(
  union(taggedTypes, taggedTypes),
  type => type,
  type =>
    toObject(
      filter(typeWords, word => trim(split(word, ':')[0]) == type),
      word => trim(join(skip(split(split(word, '=')[0], ':'), 1), ':')),
      word => trim(join(skip(split(word, '='), 1), '='))
    )
)
var allTypeTags = union(typeTags, lineTypeTags)
var allTags = union(tags, lineTags, { 'azd-env-name': environmentName })
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
// The accounts, today's first. It is the endpoint `default`, whatever its region: calls that began when it was the only
// one stay its own. Every other is known by its region, or by its name.
var first = {
  name: accountName
  group: accountGroup
  endpoint: 'default'
  region: accountLocation
  units: modelCapacity
  existing: !empty(existingAiAccountName)
}
var regionWords = split(toLower(replace(modelLocations, ' ', '')), ',')
var furtherRegions = filter(regionWords, word => !empty(word) && split(word, ':')[0] != accountLocation)
var regional = map(union(furtherRegions, furtherRegions), word => {
  name: '${newAccountName}-${split(word, ':')[0]}'
  group: groupName
  endpoint: split(word, ':')[0]
  region: split(word, ':')[0]
  units: contains(word, ':') ? int(split(word, ':')[1]) : modelCapacity
  existing: false
})
var existingWords = filter(split(replace(existingAiAccounts, ' ', ''), ','), word => !empty(word))
var brought = map(existingWords, word => {
  name: split(split(word, '@')[0], '/')[1]
  group: split(word, '/')[0]
  endpoint: take(toLower(replace(replace(split(split(word, '@')[0], '/')[1], '_', '-'), '.', '-')), 32)
  region: toLower(split(split(word, '@')[1], ':')[0])
  units: contains(word, ':') ? int(split(word, ':')[1]) : modelCapacity
  existing: true
})
var accounts = concat([first], regional, brought)
var newAccounts = filter(accounts, each => !each.existing)
var deployedAccounts = enableModelDeployment ? accounts : []
var modelRegions = map(accounts, each => each.region)
var drained = split(replace(drainedEndpoints, ' ', ''), ',')
var furtherEndpoints = empty(realtimeEndpointsBase64) ? '[]' : base64ToString(realtimeEndpointsBase64)
var endpointKeys = map(filter(json(furtherEndpoints), each => contains(each, 'key_secret')), each => each.key_secret)
var modelDomains = {
  AzureCloud: 'openai.azure.com'
  AzureUSGovernment: 'openai.azure.us'
  AzureChinaCloud: 'openai.azure.cn'
}
var modelDomain = modelDomains[environment().name]
var nearestWebLocation = {
  eastus2: 'eastus2'
  swedencentral: 'westeurope'
  centralus: 'centralus'
  canadacentral: 'eastus2'
  francecentral: 'westeurope'
}
// A site that exists keeps its page: this deployment has none then.
var ownSite = enableStaticWebApp && empty(existingStaticWebAppName)
var hasSite = enableStaticWebApp || !empty(existingStaticWebAppName)
var linked = hasSite && enableLinkedBackend
var siteName = empty(existingStaticWebAppName) ? webName : existingStaticWebAppName
var siteGroup = empty(existingStaticWebAppResourceGroup) ? groupName : existingStaticWebAppResourceGroup
var siteLocation = empty(webLocation) ? nearestWebLocation[location] : webLocation
var brokerSecretName = 'broker-secret'
var observerFunction = 'observe_call'
var decodedInstructions = base64ToString(realtimeInstructionsBase64)
var instructions = empty(realtimeInstructionsBase64) ? realtimeInstructions : decodedInstructions
var modelUser = enableDeveloperAccess ? principalId : ''
var packageContainer = 'app-package'
var identityType = 'Microsoft.ManagedIdentity/userAssignedIdentities'
var identityName = '${short.identity}${token}'
var deploymentIdentityName = '${short.identity}deployment-${token}'
var workspaceName = '${short.logAnalytics}${token}'
var componentName = '${short.applicationInsights}${token}'
// Ids are made of names that are known beforehand: a preview leaves out what depends on an output.
var ownWorkspaceId = resourceId(
  subscription().subscriptionId,
  groupName,
  'Microsoft.OperationalInsights/workspaces',
  workspaceName
)
var workspaceId = empty(existingWorkspaceId) ? ownWorkspaceId : existingWorkspaceId
var privately = enableVirtualNetwork && enablePrivateEndpoints
var publicAtFirst = privately && !closeLast ? 'Disabled' : 'Enabled'

// ---- Resources ------------------------------------------------------------------------------

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: union(allTags, allTypeTags[?'Microsoft.Resources/resourceGroups'] ?? {})
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    name: identityName
    location: location
    tags: allTags
    typeTags: allTypeTags
  }
}

// The app never names this one: a token of the app's own identity does not open the package.
module deploymentIdentity 'modules/identity.bicep' = {
  scope: group
  params: {
    name: deploymentIdentityName
    location: location
    tags: allTags
    typeTags: allTypeTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    workspaceName: workspaceName
    componentName: componentName
    location: location
    tags: allTags
    typeTags: allTypeTags
    enableDeleteLock: enableDeleteLocks
    existingWorkspaceId: existingWorkspaceId
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  dependsOn: [monitoring]
  params: {
    name: storageName
    location: location
    tags: allTags
    typeTags: allTypeTags
    enableDeleteLock: enableDeleteLocks
    sku: storageSku
    packageContainer: packageContainer
    transcriptRetentionDays: transcriptRetentionDays
    publicNetworkAccess: publicAtFirst
    workspaceId: enableDiagnostics ? workspaceId : ''
  }
}

// Grants are in modules of their own: the name of a role assignment holds the id of its principal, which a preview
// does not know, and it would leave out everything beside them.
module access 'modules/access.bicep' = {
  scope: group
  dependsOn: [storage, monitoring]
  params: {
    storageName: storageName
    packageContainer: packageContainer
    componentName: componentName
    #disable-next-line what-if-short-circuiting
    principalId: identity.outputs.principalId
    #disable-next-line what-if-short-circuiting
    deploymentPrincipalId: deploymentIdentity.outputs.principalId
  }
}

module callEnded 'modules/call-ended.bicep' = if (callEndedEvents == 'on') {
  scope: group
  dependsOn: [storage]
  params: {
    storageName: storageName
    readerPrincipalId: callEndedPrincipalId
  }
}

module vault 'modules/vault.bicep' = if (empty(existingKeyVaultName)) {
  scope: group
  dependsOn: [monitoring]
  params: {
    name: newVaultName
    location: location
    tags: allTags
    typeTags: allTypeTags
    enableDeleteLock: enableDeleteLocks
    enablePurgeProtection: enablePurgeProtection
    publicNetworkAccess: publicAtFirst
    workspaceId: enableDiagnostics ? workspaceId : ''
  }
}

module vaultSecret 'modules/vault-secret.bicep' = {
  scope: resourceGroup(vaultGroup)
  dependsOn: [vault]
  params: {
    vaultName: vaultName
    brokerSecret: brokerSecret
    nameInVault: brokerSecretName
  }
}

module vaultAccess 'modules/vault-access.bicep' = {
  scope: resourceGroup(vaultGroup)
  dependsOn: [vaultSecret]
  params: {
    vaultName: vaultName
    #disable-next-line what-if-short-circuiting
    principalId: identity.outputs.principalId
    nameInVault: brokerSecretName
    otherNames: concat(empty(realtimeGatewayKeyInVault) ? [] : [realtimeGatewayKeyInVault], endpointKeys)
    sharedVault: !empty(existingKeyVaultName)
  }
}

module account 'modules/account.bicep' = [
  for each in newAccounts: {
    scope: group
    dependsOn: [monitoring]
    params: {
      name: each.name
      location: each.region
      tags: allTags
      typeTags: allTypeTags
      kind: aiAccountKind
      workspaceId: enableDiagnostics ? workspaceId : ''
      enableDeleteLock: enableDeleteLocks
    }
  }
]

module modelAccess 'modules/model-access.bicep' = [
  for each in accounts: {
    scope: resourceGroup(each.group)
    dependsOn: [account]
    params: {
      accountName: each.name
      domain: modelDomain
      #disable-next-line what-if-short-circuiting
      principalId: identity.outputs.principalId
      developerPrincipalId: modelUser
      developerPrincipalType: principalType
      roleName: modelRole
      existingAccount: each.existing
    }
  }
]

module model 'modules/model.bicep' = [
  for each in deployedAccounts: {
    scope: resourceGroup(each.group)
    dependsOn: [account]
    params: {
      accountName: each.name
      deploymentName: deploymentName
      modelName: modelName
      modelVersion: modelVersion
      sku: modelSku
      capacity: each.units
      raiPolicyName: raiPolicyName
      enableTranscription: enableTranscription
      transcriptionModelName: transcriptionModelName
      transcriptionModelVersion: transcriptionModelVersion
      transcriptionCapacity: transcriptionCapacity
      enableLive: enableGptLive
      liveModelName: gptLiveModelName
      liveModelVersion: gptLiveModelVersion
      liveSku: gptLiveSku
      liveCapacity: gptLiveCapacity
      enableDelegation: enableDelegationModel
      delegationModelName: delegationModelName
      delegationModelVersion: delegationModelVersion
      delegationSku: delegationSku
      delegationCapacity: delegationCapacity
    }
  }
]

// A new account's address is known beforehand, so that a preview shows it.
var firstAddress = empty(existingAiAccountName)
  ? 'https://${toLower(accountName)}.${modelDomain}'
  : modelAccess[0].outputs.endpoint
var callsAddress = empty(realtimeGatewayEndpoint) ? firstAddress : realtimeGatewayEndpoint

module web 'modules/web.bicep' = if (ownSite) {
  scope: group
  params: {
    name: webName
    location: siteLocation
    tags: allTags
    typeTags: allTypeTags
    signInClientId: signInClientId
    signInClientSecret: signInClientSecret
  }
}

module existingWeb 'modules/web-address.bicep' = if (!empty(existingStaticWebAppName)) {
  scope: resourceGroup(siteGroup)
  params: {
    siteName: siteName
  }
}

module network 'modules/network.bicep' = if (enableVirtualNetwork) {
  scope: group
  params: {
    name: '${short.virtualNetwork}${token}'
    securityGroupName: '${short.networkSecurityGroup}${token}'
    location: location
    tags: allTags
    typeTags: allTypeTags
    addressPrefix: virtualNetworkAddressPrefix
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
    enableNatGateway: enableNatGateway
    natGatewayName: '${short.natGateway}${token}'
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
var vaultSuffix = replace(environment().suffixes.keyvaultDns, '.vault.', 'vaultcore.')
var privateParts = [
  { part: 'blob', target: storageId, zone: 'privatelink.blob.${suffix}' }
  { part: 'queue', target: storageId, zone: 'privatelink.queue.${suffix}' }
  { part: 'table', target: storageId, zone: 'privatelink.table.${suffix}' }
  { part: 'vault', target: vaultId, zone: 'privatelink.${vaultSuffix}' }
]
var endpoints = privately ? privateParts : []

@batchSize(1)
module privateEndpoint 'modules/private-endpoint.bicep' = [
  for each in endpoints: {
    scope: group
    dependsOn: [network, storage, vault]
    params: {
      name: '${short.privateEndpoint}${each.part}-${token}'
      location: location
      tags: allTags
      typeTags: allTypeTags
      targetId: each.target
      groupId: each.part
      zoneName: each.zone
      subnetId: '${networkId}/subnets/private-endpoints'
      networkId: networkId
      dnsZones: privateDnsZones
    }
  }
]

var ownSubnetId = enableVirtualNetwork ? '${networkId}/subnets/app' : ''
var cloudScopes = {
  AzureCloud: 'https://ai.azure.com/.default'
  AzureUSGovernment: 'https://cognitiveservices.azure.us/.default'
  AzureChinaCloud: 'https://cognitiveservices.azure.cn/.default'
}
var tokenScope = empty(realtimeTokenScope) ? cloudScopes[environment().name] : realtimeTokenScope
var origins = empty(allowedOrigins) ? [] : split(allowedOrigins, ',')
var pageUri = ownSite ? web!.outputs.uri : (hasSite ? existingWeb!.outputs.uri : '')

module api 'modules/api.bicep' = {
  scope: group
  // Its roles come first: the app starts with them.
  dependsOn: [network, privateEndpoint, access, vaultAccess]
  params: {
    name: appName
    planName: '${short.plan}${token}'
    location: location
    tags: allTags
    typeTags: allTypeTags
    identityId: resourceId(subscription().subscriptionId, groupName, identityType, identityName)
    identityClientId: identity.outputs.clientId
    deploymentIdentityId: resourceId(subscription().subscriptionId, groupName, identityType, deploymentIdentityName)
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    packageContainer: packageContainer
    connectionString: monitoring.outputs.connectionString
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReadyHttp: alwaysReadyHttp
    alwaysReadyObserver: alwaysReadyObserver
    observerFunction: observerFunction
    observeElsewhere: observeElsewhere
    subnetId: empty(existingSubnetId) ? ownSubnetId : existingSubnetId
    zoneRedundant: enableZoneRedundancy
    workspaceId: enableSiteDiagnostics ? workspaceId : ''
    furtherEndpoints: furtherEndpoints
    modelEndpoints: [
      for (each, i) in accounts: {
        name: each.endpoint
        provider: 'azure'
        endpoint: i == 0
          ? callsAddress
          : (each.existing ? modelAccess[i].outputs.endpoint : 'https://${toLower(each.name)}.${modelDomain}')
        region: each.region
        weight: contains(drained, each.endpoint) ? 0 : min(each.units, 1000)
        token_scope: tokenScope
      }
    ]
    brokerSettings: {
      REALTIME_PROVIDER: 'azure'
      REALTIME_ENDPOINT: callsAddress
      REALTIME_MODEL: deploymentName
      REALTIME_VOICE: realtimeVoice
      REALTIME_INSTRUCTIONS: instructions
      REALTIME_TRANSCRIPTION_MODEL: enableTranscription ? transcriptionModelName : ''
      REALTIME_PROFILES: realtimeProfiles
      REALTIME_TOKEN_SCOPE: tokenScope
      REALTIME_SAFETY_IDENTIFIER: realtimeSafetyIdentifier
      LIVE_MODEL: gptLiveModelName
      LIVE_DELEGATION_MODEL: delegationModelName
      LIVE_SESSION_FIELDS: liveSessionFields
      REALTIME_GATEWAY_HEADER: realtimeGatewayHeader
      REALTIME_GATEWAY_KEY_SECRET: realtimeGatewayKeyInVault
      REALTIME_GATEWAY_AUTH: realtimeGatewayAuth
      REALTIME_SIDEBAND_ENDPOINT: realtimeSidebandEndpoint
      KEY_VAULT_URI: vaultSecret.outputs.uri
      KEY_VAULT_TTL_SECONDS: string(keyVaultTtlSeconds)
      TOKEN_ENDPOINT: tokenEndpoint
      TOKEN_SECONDS: string(tokenSeconds)
      CALLER_AUTH: callerAuth
      STATIC_WEB_APP_LINKED: linked ? 'on' : 'off'
      ENTRA_TENANT_ID: entraTenantId
      ENTRA_AUDIENCE: entraAudience
      ENTRA_REQUIRED_SCOPE: entraRequiredScope
      ENTRA_ISSUER: entraIssuer
      ENTRA_KEYS_URL: entraKeysUrl
      ENTRA_APP_KEYS: entraAppKeys
      ALLOWED_ORIGINS: join(concat(hasSite ? [pageUri] : [], origins), ',')
      CALLER_TRUSTED_PROXIES: string(callerTrustedProxies)
      LIMIT_STARTS_PER_MINUTE: string(limitStartsPerMinute)
      LIMIT_LIVE_CALLS: string(limitLiveCalls)
      LIMIT_CALL_SECONDS: string(limitCallSeconds)
      LIMIT_CONVERSATION_SECONDS: string(limitConversationSeconds)
      LIMIT_TOKENS_PER_DAY: string(limitTokensPerDay)
      LIMIT_SECONDS_PER_DAY: string(limitSecondsPerDay)
      LIMIT_LIVE_CALLS_TOTAL: string(limitLiveCallsTotal)
      LIVE_MAX_SESSIONS: string(liveMaxSessions)
      OBSERVER: observer
      OBSERVER_CAPACITY: string(observerCapacity)
      TRANSCRIPTS: transcripts
      TRANSCRIPT_REDACTION: transcriptRedaction
      RECORDINGS: recordings
      RETRY_FAILED_RESPONSES: retryFailedResponses
      SLOW_TURN_MS: string(slowTurnMs)
      PRICE_TABLE: priceTable
      CALL_ENDED_EVENTS: callEndedEvents
      BROKER_SECRET_NAME: brokerSecretName
    }
  }
}

// The same as above, once the app is in the network and has its endpoints: closed before, it would be without storage
// and vault while they are made.
module closedStorage 'modules/storage.bicep' = if (privately && closeLast) {
  scope: group
  dependsOn: [api, privateEndpoint]
  params: {
    name: storageName
    location: location
    tags: allTags
    typeTags: allTypeTags
    sku: storageSku
    packageContainer: packageContainer
    transcriptRetentionDays: transcriptRetentionDays
    publicNetworkAccess: 'Disabled'
    enableDeleteLock: enableDeleteLocks
    workspaceId: enableDiagnostics ? workspaceId : ''
  }
}

module closedVault 'modules/vault.bicep' = if (privately && closeLast && empty(existingKeyVaultName)) {
  scope: group
  dependsOn: [api, privateEndpoint]
  params: {
    name: newVaultName
    location: location
    tags: allTags
    typeTags: allTypeTags
    enablePurgeProtection: enablePurgeProtection
    publicNetworkAccess: 'Disabled'
    enableDeleteLock: enableDeleteLocks
    workspaceId: enableDiagnostics ? workspaceId : ''
  }
}

module webLink 'modules/web-link.bicep' = if (linked) {
  scope: resourceGroup(empty(existingStaticWebAppName) ? groupName : siteGroup)
  params: {
    siteName: siteName
    backendId: api.outputs.id
    backendRegion: location
  }
}

module alerts 'modules/alerts.bicep' = if (enableAlerts) {
  scope: group
  params: {
    location: location
    tags: allTags
    typeTags: allTypeTags
    namePrefix: short.alert
    appId: resourceId(subscription().subscriptionId, groupName, 'Microsoft.Web/sites', appName)
    componentName: componentName
    enableWebTest: enableWebTest
    testedUri: '${linked ? pageUri : api.outputs.uri}/api/health'
    webTestName: '${short.webTest}${token}'
    actionGroupName: '${short.actionGroup}${token}'
    workspaceId: workspaceId
    appName: appName
    storageName: storageName
    email: alertEmail
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0 && !empty(budgetStartDate)) {
  scope: group
  params: {
    name: '${short.budget}${token}'
    amount: monthlyBudget
    startDate: budgetStartDate
    email: alertEmail
  }
}

module turnRule 'modules/turn-rule.bicep' = if (enableTurnRule) {
  scope: group
  params: {
    modelRegions: join(modelRegions, ',')
    location: location
    tags: allTags
    typeTags: allTypeTags
    securityGroupName: '${short.networkSecurityGroup}clients-${token}'
    denyInternet: clientDenyInternet
    subnetId: clientSubnetId
  }
}

// A gateway stands before the first account alone.
var offersTo = tokenEndpoint == 'on' ? [callsAddress, api.outputs.endpointAddresses] : []
var webAddresses = split(join(concat([pageUri, api.outputs.uri], offersTo), ','), ',')

module firewallRule 'modules/turn-rule.bicep' = if (!empty(firewallPolicyName)) {
  scope: resourceGroup(empty(firewallPolicyResourceGroup) ? groupName : firewallPolicyResourceGroup)
  params: {
    modelRegions: join(modelRegions, ',')
    location: location
    enableSecurityGroup: false
    firewallPolicyName: firewallPolicyName
    webHosts: join(map(filter(webAddresses, each => !empty(each)), each => split(each, '/')[2]), ',')
    ruleCollectionGroupName: '${short.ruleCollectionGroup}realtime-turn'
  }
}

// ---- Outputs for the hooks: they become variables of the azd environment --------------------
// `azd down` deletes those variables, so none may have the name of a setting that a user has made.

@description('The resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Address of the function app itself.')
output SERVICE_API_URI string = api.outputs.uri

@description('Address of the page; empty without a Static Web App.')
output SERVICE_WEB_URI string = pageUri

@description('Whether the function app is the linked backend of the page.')
output WEB_BACKEND_LINKED bool = linked

@description('The model\'s endpoint.')
output REALTIME_ENDPOINT string = firstAddress

@description('Addresses of all endpoints, comma-separated; empty if there is one.')
output MODEL_ENDPOINTS string = api.outputs.endpointAddresses

@description('Name of the realtime deployment.')
output REALTIME_MODEL string = deploymentName

@description('Entra scope of the model\'s endpoint.')
output MODEL_TOKEN_SCOPE string = tokenScope

@description('Principal id of the user who may use the model besides the app; empty for none.')
output MODEL_USER_ID string = modelUser

@description('Principal id of the app\'s identity: another one needs its roles anew.')
output APP_PRINCIPAL_ID string = identity.outputs.principalId

@description('The tenant that was deployed to.')
output AZURE_TENANT_ID string = tenant().tenantId
