metadata description = 'The queue on which the broker tells of calls that have ended (docs/call-events.md), and the grant for the app that takes the messages.'

@description('Name of the storage account.')
param storageName string

@description('Principal id of the identity of the app that takes the messages: it may use this queue and its poison queue, and nothing else. Empty for none.')
param readerPrincipalId string = ''

var queues = ['call-ended', 'call-ended-poison']
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var readable = empty(readerPrincipalId) ? [] : queues

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' existing = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for each in queues: {
    parent: queueService
    name: each
  }
]

// The poison queue too: whatever runs the functions of that app moves messages to it.
resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, index) in readable: {
    scope: queue[index]
    name: guid(account.id, each, readerPrincipalId, queueDataContributor)
    properties: {
      principalId: readerPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueDataContributor)
    }
  }
]
