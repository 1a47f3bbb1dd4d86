metadata description = 'Application Insights on a new or existing Log Analytics workspace, with Entra ingestion only, and the workbook.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the new workspace, if none is given.')
param workspaceName string

@description('Name of the Application Insights component.')
param componentName string

@description('Region of both.')
param location string

@description('Tags of both.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

@description('Lock the new workspace against deletion.')
param enableDeleteLock bool

@description('Resource id of an existing workspace to use; if empty, one is created.')
param existingWorkspaceId string

@description('Days to keep logs: 30 to 730.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('Daily ingestion cap of the workspace in GB; -1 for none. A cap stops alerts too.')
param dailyCapGb int

var ownWorkspaceId = resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)
var workspaceId = empty(existingWorkspaceId) ? ownWorkspaceId : existingWorkspaceId

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = if (empty(existingWorkspaceId)) {
  name: workspaceName
  location: location
  tags: union(tags, typeTags[?'Microsoft.OperationalInsights/workspaces'] ?? {})
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
    features: { disableLocalAuth: true }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (enableDeleteLock && empty(existingWorkspaceId)) {
  scope: workspace
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'The logs.'
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: union(tags, typeTags[?'Microsoft.Insights/components'] ?? {})
  kind: 'web'
  dependsOn: [workspace]
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    DisableLocalAuth: true
    // Callers are identified by hashed ids; their IP addresses are not needed.
    DisableIpMasking: false
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'calls')
  location: location
  tags: union(tags, typeTags[?'Microsoft.Insights/workbooks'] ?? {})
  kind: 'shared'
  properties: {
    displayName: 'Realtime calls'
    category: 'workbook'
    sourceId: component.id
    serializedData: loadTextContent('../monitoring/workbook.json')
  }
}

@description('Connection string for telemetry. Not a secret here: the component accepts only Entra tokens.')
output connectionString string = component.properties.ConnectionString
