metadata description = 'Attaches a network security group to a subnet that exists. All else of the subnet stays as it is.'

@description('Name of the virtual network.')
param networkName string

@description('Name of the subnet.')
param subnetName string

@description('Resource id of the group.')
param securityGroupId string

@description('The properties that the subnet has.')
#disable-next-line use-user-defined-types
param current object

// Azure replaces a subnet whole. What it reports beyond these cannot be written.
var writable = [
  'addressPrefix'
  'addressPrefixes'
  'applicationGatewayIPConfigurations'
  'defaultOutboundAccess'
  'delegations'
  'ipAllocations'
  'natGateway'
  'privateEndpointNetworkPolicies'
  'privateLinkServiceNetworkPolicies'
  'routeTable'
  'serviceEndpointPolicies'
  'serviceEndpoints'
  'sharingScope'
]
var kept = filter(items(current), item => contains(writable, item.key))

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: networkName
}

resource subnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = {
  parent: network
  name: subnetName
  properties: union(toObject(kept, item => item.key, item => item.value), {
    networkSecurityGroup: { id: securityGroupId }
  })
}
