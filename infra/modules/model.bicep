metadata description = 'The realtime deployment, and optionally one for transcription, on an account in any resource group.'

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
