metadata description = 'A virtual network for the app\'s outbound traffic, and a subnet for private endpoints. Inbound stays public: a linked backend cannot be isolated.'

@description('Name of the virtual network.')
param name string

@description('Name of the network security group of its subnets.')
param securityGroupName string

@description('Region of the network.')
param location string

@description('Tags of the network.')
param tags object

@description('Address space of the network.')
param addressPrefix string

@description('Addresses of the function app\'s subnet, /27 or larger.')
param appSubnetPrefix string

@description('Addresses of the private endpoints\' subnet.')
param endpointSubnetPrefix string

resource closed 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: securityGroupName
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-internet-in'
        properties: {
          access: 'Deny'
          direction: 'Inbound'
          priority: 4096
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appSubnetPrefix
          networkSecurityGroup: { id: closed.id }
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: endpointSubnetPrefix
          networkSecurityGroup: { id: closed.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}
