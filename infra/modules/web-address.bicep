metadata description = 'Where a Static Web App is that exists, in any resource group. Nothing of it is changed.'

@description('Name of the Static Web App.')
param siteName string

resource site 'Microsoft.Web/staticSites@2025-03-01' existing = {
  name: siteName
}

@description('Address of the page.')
output uri string = 'https://${site.properties.defaultHostname}'
