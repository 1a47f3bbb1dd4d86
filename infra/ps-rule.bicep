targetScope = 'subscription'

metadata description = 'Not deployed: main.bicep with its options on, for PSRule to expand and check.'

@description('Region of the example.')
param location string = 'eastus2'

module example 'main.bicep' = {
  params: {
    environmentName: 'example'
    location: location
    tagLine: 'example=true'
    modelLocations: 'swedencentral'
    enableTranscription: true
    enableGptLive: true
    gptLiveModelVersion: 'example'
    enableDelegationModel: true
    delegationModelVersion: 'example'
    enablePurgeProtection: true
    enableVirtualNetwork: true
    enablePrivateEndpoints: true
    enableNatGateway: true
    clientDenyInternet: true
    enableWebTest: true
    alwaysReadyHttp: 1
    alertEmail: 'operator@example.com'
    monthlyBudget: 100
    budgetStartDate: '2026-11-01'
    firewallPolicyName: 'example'
  }
}
