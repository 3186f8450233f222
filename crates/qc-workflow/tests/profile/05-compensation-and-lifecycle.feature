Feature: Compensation and lifecycle events

  @58
  Scenario: What completed is undone in reverse order when the run fails
    Given the workflow:
      """
      do: [ one: { call: crm.create }, two: { call: crm.create }, three: { call: crm.read } ]
      """
    And it is compensated by:
      """
      one: { do: crm.upsert, with: { undo: one } }
      two: { do: crm.upsert, with: { undo: two } }
      """
    When the workflow runs
    And "one" answers 1
    And "two" answers 2
    And "three" fails as not_found
    Then it waits for calls: compensate.two
    And what is sent for "compensate.two" is {arguments: {undo: two}}
    And "compensate.two" answers gone
    And it waits for calls: compensate.one
    And "compensate.one" answers gone
    And it faults with {status: 404, instance: /do/2/three}
    And undone are: /do/1/two:0, /do/0/one:0

  @58
  Scenario: A run that completes undoes nothing
    Given the workflow:
      """
      do: [ one: { call: crm.create } ]
      """
    And it is compensated by:
      """
      one: { do: crm.upsert }
      """
    When the workflow runs
    And "one" answers 1
    Then it completes with 1
    And how often is called "compensate.one": 0

  @58
  Scenario: A cancelled run undoes only when asked to
    Given the workflow:
      """
      do: [ one: { call: crm.create }, two: { wait: PT1H } ]
      """
    And it is compensated by:
      """
      one: { do: crm.upsert }
      """
    When the workflow runs
    And "one" answers 1
    And the run is cancelled
    Then it is cancelled
    And undone are: none

  @58
  Scenario: A cancelled run that is asked to undo
    Given the workflow:
      """
      do: [ one: { call: crm.create }, two: { wait: PT1H } ]
      """
    And it is compensated by:
      """
      one: { do: crm.upsert }
      """
    When the workflow runs
    And "one" answers 1
    And the run is cancelled and undone
    And "compensate.one" answers gone
    Then it is cancelled
    And undone are: /do/0/one:0

  @59
  Scenario: A call that took effect after it was cut short is undone too
    Given the workflow:
      """
      do:
        - both: { fork: { branches: [ make: { call: crm.create }, fail: { call: crm.read } ] } }
      """
    And it is compensated by:
      """
      make: { do: crm.upsert, with: { id: '${ .output.id }' } }
      """
    When the workflow runs
    And "fail" fails as not_found
    And "make" answers {id: 5}
    Then what is sent for "compensate.make" is {arguments: {id: 5}}
    And "compensate.make" answers gone
    And undone are: /do/0/both/fork/branches/0/make:0

  @59
  Scenario: A repeated block is undone once
    Given the workflow:
      """
      do: [ guarded: { try: [ make: { call: crm.create }, get: { call: crm.read } ], catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } } } } ]
      """
    And it is compensated by:
      """
      make: { do: crm.upsert }
      """
    When the workflow runs
    And "make" answers 1
    And "get" fails as overloaded
    And 1 seconds pass
    And "get" fails as overloaded
    And "compensate.make" answers gone
    Then undone are: /do/0/guarded/try/0/make:0.0

  @60
  Scenario: An undoing sees the task's input and its own output
    Given the workflow:
      """
      use: { functions: { undo: { do: [ tell: { call: crm.upsert, with: { order: '${ .input.order }', id: '${ .output.id }' } } ] } } }
      do: [ make: { input: { from: '{ order: .o }' }, call: crm.create, output: { as: '{ short: 1 }' } }, stop: { raise: { error: { type: 'https://example.com/x', status: 500 } } } ]
      """
    And it is compensated by:
      """
      make: { do: undo }
      """
    And the input is {o: 7}
    When the workflow runs
    And "make" answers {id: 5}
    Then what is sent for "tell" is {arguments: {order: 7, id: 5}}

  @61
  Scenario: An undoing has a key of its own, is tried again, and does not stop the others
    Given the workflow:
      """
      do:
        - each: { for: { in: '[1, 2]' }, do: [ make: { call: crm.create } ] }
        - stop: { raise: { error: { type: 'https://example.com/x', status: 500 } } }
      """
    And it is compensated by:
      """
      make: { do: crm.upsert, with: { n: '${ .output }' } }
      """
    When the workflow runs
    And "make" answers 1
    And "make" answers 2
    And "compensate.make" fails as overloaded
    And 1 seconds pass
    And "compensate.make" fails as not_found
    And "compensate.make" answers gone
    Then the places of calls are: /do/0/each/do/0/make:0.0.0, /do/0/each/do/0/make:0.1.0, /compensate/do/0/each/do/0/make:0.1.0, /compensate/do/0/each/do/0/make:0.1.0, /compensate/do/0/each/do/0/make:0.0.0
    And it faults with {type: 'https://example.com/x'}
    And undone are: /do/0/each/do/0/make:0.1.0 not, /do/0/each/do/0/make:0.0.0

  @62
  Scenario: A run of which something was undone is over
    Given the workflow:
      """
      timeout: { after: PT10S }
      do: [ make: { call: crm.create }, stop: { raise: { error: { type: 'https://example.com/x', status: 500 } } } ]
      """
    And it is compensated by:
      """
      make: { do: crm.upsert }
      """
    When the workflow runs
    And "make" answers 1
    And 20 seconds pass
    And the run is cancelled
    Then it goes on
    And "compensate.make" answers gone
    And it faults with {type: 'https://example.com/x'}
    And the run is continued
    And it faults with {type: 'https://example.com/x'}

  @63
  Scenario: The standard's lifecycle events
    Given the workflow:
      """
      do: [ hear: { listen: { to: { any: [] } } }, get: { call: crm.read } ]
      """
    When the workflow runs
    And an event comes in: {type: a}
    And "get" fails as overloaded
    And 1 seconds pass
    And "get" fails as not_found
    Then it is told of by: workflow.started.v1, task.created.v1, task.started.v1, workflow.correlation-started.v1, task.completed.v1, workflow.correlation-completed.v1, task.created.v1, task.started.v1, task.retried.v1, task.faulted.v1, workflow.faulted.v1
