metadata description = 'Links the function app to the Static Web App as its backend: /api/* goes to the app, and only from there.'

@description('Name of the Static Web App.')
param siteName string

@description('Resource id of the function app.')
param backendId string

@description('Region of the function app.')
param backendRegion string

resource site 'Microsoft.Web/staticSites@2025-03-01' existing = {
  name: siteName
}

// The name must never change: a Static Web App has one backend, and a new name would be a second one.
resource link 'Microsoft.Web/staticSites/linkedBackends@2025-03-01' = {
  parent: site
  name: 'api'
  properties: {
    backendResourceId: backendId
    region: backendRegion
  }
}
