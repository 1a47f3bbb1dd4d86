metadata description = 'Types that several modules share.'

@export()
@description('Tags of a resource.')
type resourceTags = { *: string }

@export()
@description('Tags in addition for the resources of one type, by type.')
type tagsByResourceType = { *: resourceTags }

@export()
@description('An element of REALTIME_ENDPOINTS (docs/settings.md).')
type modelEndpoint = {
  name: string
  provider: string
  endpoint: string
  region: string
  weight: int
  token_scope: string
}
