metadata description = 'What the app may do in its own resource group: the roles of its two identities, and nothing else. Their names hold ids that only Azure knows, so a preview (what-if) cannot show them.'

@description('Name of the storage account.')
param storageName string

@description('Container of the app package.')
param packageContainer string

@description('Name of the Application Insights component.')
param componentName string

@description('Principal id of the function app\'s identity.')
param principalId string

@description('Principal id of the identity that the app\'s package is stored and fetched with.')
param deploymentPrincipalId string

var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

// Azure's documentation asks for Blob Data Owner on the account for the Functions host (docs/adr/0010): this
// condition excludes the package's container. The actions are those that the documentation lists for conditions
// on a container's name.
var containerType = 'Microsoft.Storage/storageAccounts/blobServices/containers'
var blobActions = [
  'read'
  'write'
  'delete'
  'add/action'
  'deleteBlobVersion/action'
  'manageOwnership/action'
  'modifyPermissions/action'
  'move/action'
  'permanentDelete/action'
  'runAsSuperUser/action'
  'tags/read'
  'tags/write'
]
var andNot = '\'}) AND !(ActionMatches{\'${containerType}/blobs/'
var noBlobAction = '!(ActionMatches{\'${containerType}/blobs/${join(blobActions, andNot)}\'})'
var otherContainer = '@Resource[${containerType}:name] StringNotEquals \'${packageContainer}\''

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: account
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: blobs
  name: packageContainer
}

resource hostRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, blobDataOwner)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataOwner)
    condition: '((${noBlobAction}) OR (${otherContainer}))'
    conditionVersion: '2.0'
  }
}

resource packageRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: packages
  name: guid(packages.id, deploymentPrincipalId, blobDataContributor)
  properties: {
    principalId: deploymentPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}

resource roles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [queueDataContributor, tableDataContributor]: {
    scope: account
    name: guid(account.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource telemetryRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, principalId, metricsPublisher)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
  }
}
