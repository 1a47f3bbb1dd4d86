metadata description = 'Makes the function app the backend of the Static Web App: /api/* goes to it, and only from there.'

@description('Name of the Static Web App.')
param siteName string

@description('Resource id of the function app.')
param backendId string

@description('Region of the function app.')
param backendRegion string

resource site 'Microsoft.Web/staticSites@2025-03-01' existing = {
  name: siteName
}

// The name never changes: a Static Web App has one backend, and a second name would be a second.
resource link 'Microsoft.Web/staticSites/linkedBackends@2025-03-01' = {
  parent: site
  name: 'api'
  properties: {
    backendResourceId: backendId
    region: backendRegion
  }
}
