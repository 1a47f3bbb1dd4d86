metadata description = 'A new Azure OpenAI account without keys. Its deployments: model.bicep.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the account, and its subdomain.')
param name string

@description('Region of the account: one with realtime models.')
param location string

@description('Tags of the account.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

@description('Lock the account against deletion.')
param enableDeleteLock bool

@description('OpenAI has the smaller surface; AIServices also supports Foundry projects.')
@allowed(['OpenAI', 'AIServices'])
param kind string

@description('Log Analytics workspace for the audit log and metrics; empty for none.')
param workspaceId string

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: name
  location: location
  tags: union(tags, typeTags[?'Microsoft.CognitiveServices/accounts'] ?? {})
  kind: kind
  sku: { name: 'S0' }
  identity: { type: 'SystemAssigned' }
  properties: {
    // Entra tokens are accepted only on a custom subdomain.
    customSubDomainName: name
    disableLocalAuth: true
    allowProjectManagement: kind == 'AIServices' ? true : null
    // Browsers send audio here, and pages that use /api/token post offers.
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      defaultAction: 'Allow'
      bypass: 'AzureServices'
      ipRules: []
      virtualNetworkRules: []
    }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (enableDeleteLock) {
  scope: account
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'The deployments of the model, and its quota.'
  }
}

#disable-next-line use-recent-api-versions
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  scope: account
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}
