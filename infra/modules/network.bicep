metadata description = 'A virtual network for the app\'s outbound traffic, and a subnet for private endpoints. Inbound stays public: a linked backend cannot be isolated.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the virtual network.')
param name string

@description('Name of the network security group of its subnets.')
param securityGroupName string

@description('Region of the network.')
param location string

@description('Tags of the network.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

@description('Address space of the network.')
param addressPrefix string

@description('Addresses of the function app\'s subnet, /27 or larger.')
param appSubnetPrefix string

@description('Addresses of the private endpoints\' subnet.')
param endpointSubnetPrefix string

@description('Give the app\'s traffic one public address of its own, by a NAT gateway.')
param enableNatGateway bool

@description('Name of that gateway and of its address.')
param natGatewayName string

resource closed 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: securityGroupName
  location: location
  tags: union(tags, typeTags[?'Microsoft.Network/networkSecurityGroups'] ?? {})
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
      {
        name: 'deny-remote-access-out'
        properties: {
          description: 'Nothing here signs in to machines.'
          access: 'Deny'
          direction: 'Outbound'
          priority: 4096
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRanges: ['22', '3389']
        }
      }
    ]
  }
}

resource address 'Microsoft.Network/publicIPAddresses@2025-05-01' = if (enableNatGateway) {
  name: natGatewayName
  location: location
  tags: union(tags, typeTags[?'Microsoft.Network/publicIPAddresses'] ?? {})
  sku: { name: 'Standard', tier: 'Regional' }
  // Every region that the app may be in has three.
  zones: ['1', '2', '3']
  properties: { publicIPAllocationMethod: 'Static', publicIPAddressVersion: 'IPv4' }
}

resource gateway 'Microsoft.Network/natGateways@2025-05-01' = if (enableNatGateway) {
  name: natGatewayName
  location: location
  tags: union(tags, typeTags[?'Microsoft.Network/natGateways'] ?? {})
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: address.id }] }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: union(tags, typeTags[?'Microsoft.Network/virtualNetworks'] ?? {})
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appSubnetPrefix
          // The app calls the model's public endpoint. Said, because the default depends on the API version.
          defaultOutboundAccess: !enableNatGateway
          natGateway: enableNatGateway ? { id: gateway.id } : null
          networkSecurityGroup: { id: closed.id }
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: endpointSubnetPrefix
          defaultOutboundAccess: false
          networkSecurityGroup: { id: closed.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}
