metadata description = 'Alerts on the broker\'s log, from infra/monitoring/alerts.json. What each means and what to do: docs/operations.md.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Region of the alerts.')
param location string

@description('Tags of the alerts.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

@description('Prefix of the alerts\' names.')
param namePrefix string

@description('Name of the action group.')
param actionGroupName string

@description('Workspace with the logs.')
param workspaceId string

@description('Name of the function app in the logs.')
param appName string

@description('Name of the storage account in the logs.')
param storageName string

@description('Resource id of the function app.')
param appId string

@description('Name of the Application Insights component.')
param componentName string

@description('Request the app from five places outside.')
param enableWebTest bool

@description('Address that answers 200 while the app works.')
param testedUri string

@description('Name of the web test.')
param webTestName string

@description('E-mail address for alerts; if empty, they appear only in the portal.')
param email string

var alerts = loadJsonContent('../monitoring/alerts.json')
var actionGroups = empty(email) ? [] : [resourceId('Microsoft.Insights/actionGroups', actionGroupName)]
// Places of Azure's web tests: East US, North Central US, West Europe, North Europe, Southeast Asia.
var testedFrom = ['us-va-ash-azr', 'us-il-ch1-azr', 'emea-nl-ams-azr', 'emea-gb-db3-azr', 'apac-sg-sin-azr']
var actions = [for group in actionGroups: { actionGroupId: group }]

var byEndpoint = [{ name: 'endpoint', operator: 'Include', values: ['*'] }]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: actionGroupName
  location: 'global'
  tags: union(tags, typeTags[?'Microsoft.Insights/actionGroups'] ?? {})
  properties: {
    enabled: true
    groupShortName: 'realtime'
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in alerts: {
    name: '${namePrefix}${alert.name}'
    location: location
    tags: union(tags, typeTags[?'Microsoft.Insights/scheduledQueryRules'] ?? {})
    kind: 'LogAlert'
    dependsOn: [people]
    properties: {
      displayName: alert.title
      description: '${alert.meaning} See docs/operations.md.'
      enabled: true
      severity: alert.severity
      scopes: [workspaceId]
      evaluationFrequency: alert.every
      windowSize: alert.window
      // A query about what is absent has to look further back than its window.
      overrideQueryTimeRange: alert.?range
      autoMitigate: true
      // The tables exist only once something has been logged.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: replace(replace(join(alert.query, '\n'), '{app}', appName), '{storage}', storageName)
            timeAggregation: 'Total'
            metricMeasureColumn: 'measured'
            operator: 'GreaterThan'
            threshold: alert.threshold
            // One alert for each value, which its message names.
            dimensions: contains(alert, 'split') ? byEndpoint : null
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: actionGroups }
    }
  }
]

// What the log does not have: requests that fail before they reach a function, as when the app does not start.
resource failing 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: '${namePrefix}http-5xx'
  location: 'global'
  tags: union(tags, typeTags[?'Microsoft.Insights/metricAlerts'] ?? {})
  dependsOn: [people]
  properties: {
    description: 'Requests fail. More than twenty in a quarter of an hour were answered 5xx. See docs/operations.md.'
    enabled: true
    severity: 2
    scopes: [appId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'http-5xx'
          metricNamespace: 'Microsoft.Web/sites'
          metricName: 'Http5xx'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 20
          // Of a new app, and of one that has never failed, there is no such metric yet.
          skipMetricValidation: true
        }
      ]
    }
    actions: actions
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource webTest 'Microsoft.Insights/webtests@2022-06-15' = if (enableWebTest) {
  name: webTestName
  location: location
  kind: 'standard'
  // Application Insights shows the tests that are linked to it by this tag.
  tags: union(tags, typeTags[?'Microsoft.Insights/webtests'] ?? {}, { 'hidden-link:${component.id}': 'Resource' })
  properties: {
    SyntheticMonitorId: webTestName
    Name: webTestName
    Description: 'The app answers, seen from outside.'
    Enabled: true
    Frequency: 900
    Timeout: 60
    Kind: 'standard'
    RetryEnabled: true
    Locations: [for place in testedFrom: { Id: place }]
    Request: { RequestUrl: testedUri, HttpVerb: 'GET', FollowRedirects: false, ParseDependentRequests: false }
    ValidationRules: { ExpectedHttpStatusCode: 200, SSLCheck: true, SSLCertRemainingLifetimeCheck: 7 }
  }
}

resource unreachable 'Microsoft.Insights/metricAlerts@2026-01-01' = if (enableWebTest) {
  name: '${namePrefix}unreachable'
  location: 'global'
  tags: union(tags, typeTags[?'Microsoft.Insights/metricAlerts'] ?? {})
  dependsOn: [people]
  properties: {
    description: 'The app cannot be reached. The web test failed at two of five places. See docs/operations.md.'
    enabled: true
    severity: 1
    scopes: [webTest.id, component.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT30M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: webTest.id
      componentId: component.id
      failedLocationCount: 2
    }
    actions: actions
  }
}
