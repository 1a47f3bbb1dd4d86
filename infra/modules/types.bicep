metadata description = 'Types that several modules share.'

@export()
@description('Tags of a resource.')
type resourceTags = { *: string }
