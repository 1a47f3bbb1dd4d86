metadata description = 'A monthly budget of the resource group. It tells; it does not stop anything.'

@description('Name of the budget.')
param name string

@description('Amount a month, in the currency of the subscription.')
param amount int

@description('First day of the month that it was made in, as 2026-11-01. It stays what it was: a preprovision hook writes it once.')
param startDate string

@description('Address that is told; empty: the owners of the resource group.')
param email string

var addresses = empty(email) ? [] : [email]

resource budget 'Microsoft.Consumption/budgets@2026-06-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: startDate }
    notifications: {
      half: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 50
        thresholdType: 'Actual'
        contactEmails: addresses
        contactRoles: ['Owner']
      }
      used: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 90
        thresholdType: 'Actual'
        contactEmails: addresses
        contactRoles: ['Owner']
      }
      forecast: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 110
        thresholdType: 'Forecasted'
        contactEmails: addresses
        contactRoles: ['Owner']
      }
    }
  }
}
