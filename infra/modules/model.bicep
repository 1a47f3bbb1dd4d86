metadata description = 'The realtime deployment, and optionally one for transcription, one of GPT-Live and one that it delegates to, on an account in any resource group.'

@description('Name of the Azure OpenAI or AI Services account.')
param accountName string

@description('Name of the realtime deployment.')
param deploymentName string

@description('Realtime model.')
param modelName string

@description('Version of the model.')
param modelVersion string

@description('Kind of deployment: GlobalStandard, or DataZoneStandard for models that support it.')
param sku string

@description('Capacity in units; what a unit is depends on the model (docs/scale.md).')
param capacity int

@description('Content filter policy.')
param raiPolicyName string

@description('Also create a transcription deployment, which transcribes the caller.')
param enableTranscription bool

@description('Name and model of the transcription deployment.')
param transcriptionModelName string

@description('Version of the transcription model.')
param transcriptionModelVersion string

@description('Capacity of the transcription deployment in units.')
param transcriptionCapacity int

@description('Also create a deployment of GPT-Live.')
param enableLive bool

@description('Name and model of the GPT-Live deployment.')
param liveModelName string

@description('Version of the GPT-Live model.')
param liveModelVersion string

@description('Kind of the GPT-Live deployment.')
param liveSku string

@description('Capacity of the GPT-Live deployment in units.')
param liveCapacity int

@description('Also create a deployment that GPT-Live may delegate work to.')
param enableDelegation bool

@description('Name and model of the deployment to delegate to.')
param delegationModelName string

@description('Version of the model to delegate to.')
param delegationModelVersion string

@description('Kind of the deployment to delegate to.')
param delegationSku string

@description('Capacity of the deployment to delegate to in units.')
param delegationCapacity int

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: accountName
}

resource realtime 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = {
  parent: account
  name: deploymentName
  sku: { name: sku, capacity: capacity }
  properties: {
    model: { format: 'OpenAI', name: modelName, version: modelVersion }
    // A voice must not change overnight: the version stays until it is retired.
    versionUpgradeOption: 'OnceCurrentVersionExpired'
    raiPolicyName: raiPolicyName
  }
}

resource transcription 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = if (enableTranscription) {
  parent: account
  name: transcriptionModelName
  // An account accepts one deployment change at a time.
  dependsOn: [realtime]
  sku: { name: sku, capacity: transcriptionCapacity }
  properties: {
    model: { format: 'OpenAI', name: transcriptionModelName, version: transcriptionModelVersion }
    versionUpgradeOption: 'OnceCurrentVersionExpired'
    raiPolicyName: raiPolicyName
  }
}

resource live 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = if (enableLive) {
  parent: account
  name: liveModelName
  dependsOn: [realtime, transcription]
  sku: { name: liveSku, capacity: liveCapacity }
  properties: {
    model: { format: 'OpenAI', name: liveModelName, version: liveModelVersion }
    versionUpgradeOption: 'OnceCurrentVersionExpired'
    raiPolicyName: raiPolicyName
  }
}

resource delegation 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = if (enableDelegation) {
  parent: account
  name: delegationModelName
  dependsOn: [realtime, transcription, live]
  sku: { name: delegationSku, capacity: delegationCapacity }
  properties: {
    model: { format: 'OpenAI', name: delegationModelName, version: delegationModelVersion }
    versionUpgradeOption: 'OnceCurrentVersionExpired'
    raiPolicyName: raiPolicyName
  }
}
