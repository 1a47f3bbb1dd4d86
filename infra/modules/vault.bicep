metadata description = 'A new key vault. Its secret: vault-secret.bicep. Who may read it: vault-access.bicep.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the vault: 3 to 24 letters, digits and hyphens.')
param name string

@description('Region of the vault.')
param location string

@description('Tags of the vault.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

@description('Lock the vault against deletion.')
param enableDeleteLock bool

@description('True for production. A vault with it can be deleted but not purged, so its name stays reserved for 90 days.')
param enablePurgeProtection bool

@description('If Disabled, only private endpoints reach the vault.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

@description('Log Analytics workspace for the audit log; empty for none.')
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: union(tags, typeTags[?'Microsoft.KeyVault/vaults'] ?? {})
  properties: {
    tenantId: subscription().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // Once true it may never be sent as false; null leaves it unchanged.
    enablePurgeProtection: enablePurgeProtection ? true : null
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (enableDeleteLock) {
  scope: vault
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'The secret of the broker: handles and hashed ids depend on it.'
  }
}

#disable-next-line use-recent-api-versions
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  scope: vault
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}
