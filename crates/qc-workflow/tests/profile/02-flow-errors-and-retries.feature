Feature: Flow, errors, trying again

  @17
  Scenario: End ends the whole workflow from any depth
    Given the workflow:
      """
      do:
        - both:
            fork:
              branches:
                - slow: { call: crm.create }
                - quick: { do: [ stop: { set: { done: true }, then: end } ] }
        - never: { set: { a: 1 } }
      """
    When the workflow runs
    Then cut short are: none
    And it completes with {done: true}

  @17
  Scenario: Exit completes the list, in a loop the iteration
    Given the workflow:
      """
      do: [ loop: { for: { in: '[1, 2]' }, do: [ a: { set: '${ . + 1 }', then: exit }, b: { set: '100' } ] } ]
      """
    And the input is 0
    When the workflow runs
    Then it completes with 2

  @18
  Scenario: The first case that holds decides, then the one without a condition
    Given the workflow:
      """
      do:
        - choose: { switch: [ big: { when: '. > 5', then: large }, other: { then: end }, small: { when: '. > 1', then: large } ] }
        - large: { set: '"large"' }
      """
    And the input is 1
    When the workflow runs
    Then it completes with 1

  @19
  Scenario: A run executes so many tasks and no more
    Given the workflow:
      """
      do:
        - guarded:
            try: [ spin: { set: '${ . + 1 }', then: spin } ]
            catch: { do: [ never: { set: '1' } ] }
      """
    And the input is 0
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime, instance: /do/0/guarded/try/0/spin}

  @20
  Scenario: All spellings of a standard type are one
    Given the workflow:
      """
      do:
        - guarded:
            try: [ get: { call: crm.read } ]
            catch:
              errors: { with: { type: 'https://serverlessworkflow.io/dsl/errors/types/communication', status: 404 } }
              as: e
              do: [ look: { set: { at: '${ $e.instance }', type: '${ $e.type }' } } ]
      """
    When the workflow runs
    And "get" fails as not_found
    Then it completes with {at: /do/0/guarded/try/0/get, type: https://open-workflow-specification.org/spec/1.0.0/errors/communication}

  @21
  Scenario: The type of a failed call follows its class
    Given the workflow:
      """
      do: [ get: { call: crm.read } ]
      """
    When the workflow runs
    And "get" fails as permission
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization, status: 403}

  @22
  Scenario: A caught error without do gives the input, and errors of catch.do go outward
    Given the workflow:
      """
      do:
        - outer:
            try:
              - inner:
                  try: [ get: { call: crm.read } ]
                  catch: { do: [ worse: { raise: { error: { type: 'https://example.com/worse', status: 499 } } } ] }
            catch: { errors: { with: { status: 499 } } }
        - after: { set: { got: '${ .a }' } }
      """
    And the input is {a: 1}
    When the workflow runs
    And "get" fails as not_found
    Then it completes with {got: 1}

  @23
  Scenario: A task that takes too long can be caught
    Given the workflow:
      """
      do: [ guarded: { try: [ slow: { wait: PT1H, timeout: { after: PT5S } } ], catch: { errors: { with: { status: 408 } }, do: [ late: { set: '"late"' } ] } } ]
      """
    When the workflow runs
    And 5 seconds pass
    Then it completes with late

  @23
  Scenario: The workflow's timeout cannot be caught
    Given the workflow:
      """
      timeout: { after: PT5S }
      do: [ guarded: { try: [ slow: { wait: PT1H } ], catch: { do: [ late: { set: '"late"' } ] } } ]
      """
    When the workflow runs
    And 5 seconds pass
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout, status: 408}

  @24
  Scenario: A catch with retry replaces the call's own policy
    Given the workflow:
      """
      do: [ guarded: { try: [ get: { call: crm.read } ], catch: { retry: { delay: PT7S } } } ]
      """
    When the workflow runs
    And "get" fails as overloaded
    Then it waits until seconds have passed: 7

  @25
  Scenario: Retries come first, catch.do once
    Given the workflow:
      """
      do: [ guarded: { try: [ get: { call: crm.read } ], catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } }, do: [ give: { set: '"up"' } ] } } ]
      """
    When the workflow runs
    And "get" fails as overloaded
    And 1 seconds pass
    And "get" fails as overloaded
    Then it completes with up
    And how often is called "get": 2

  @26
  Scenario: An attempt has its own limit
    Given the workflow:
      """
      do: [ guarded: { try: [ slow: { wait: PT1H } ], catch: { retry: { delay: PT1S, limit: { attempt: { count: 2, duration: PT10S } } } } } ]
      """
    When the workflow runs
    And 10 seconds pass
    Then it waits until seconds have passed: 1
    And 11 seconds pass
    And it faults with {status: 408}

  @27
  Scenario: Pauses grow as is said
    Given the workflow:
      """
      do: [ guarded: { try: [ get: { call: crm.read } ], catch: { retry: { delay: PT2S, backoff: { linear: {} } } } } ]
      """
    When the workflow runs
    And "get" fails as overloaded
    And 2 seconds pass
    And "get" fails as overloaded
    Then it waits until seconds have passed: 4

  @28
  Scenario: What trying again does not help is not repeated
    Given the workflow:
      """
      do: [ guarded: { try: [ get: { call: crm.read } ], catch: { retry: { delay: PT1S } } } ]
      """
    When the workflow runs
    And "get" fails as not_found
    Then it faults with {status: 404}
    And how often is called "get": 1

  @29
  Scenario: A stated pause is kept and does not count as an attempt
    Given the workflow:
      """
      do: [ get: { call: crm.read } ]
      """
    When the workflow runs
    And "get" fails as throttled, asking for seconds: 90
    Then it waits until seconds have passed: 90
    And 90 seconds pass
    And "get" answers fine
    And it completes with fine

  @29
  Scenario: A stated pause outlives the timeout of the attempt in which it was stated
    Given the workflow:
      """
      do:
        - guarded:
            try: [ get: { call: crm.read, timeout: { after: PT5S } } ]
            catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } } }
      """
    When the workflow runs
    And "get" fails as throttled, asking for seconds: 60
    And 5 seconds pass
    Then it waits until seconds have passed: 55
    And 55 seconds pass
    And how often is called "get": 2
    And "get" answers fine
    And it completes with fine

  @30
  Scenario: In a repeated block what took effect answers from the journal
    Given the workflow:
      """
      do: [ guarded: { try: [ make: { call: crm.create }, get: { call: crm.read } ], catch: { retry: { delay: PT1S } } } ]
      """
    When the workflow runs
    And "make" answers 1
    And "get" fails as overloaded
    And 1 seconds pass
    Then it waits for calls: get
    And how often is called "make": 1

  @31
  Scenario: A call of unknown effect is not repeated unless that is harmless
    Given the workflow:
      """
      do: [ guarded: { try: [ make: { call: crm.create } ], catch: { retry: { delay: PT1S } } } ]
      """
    When the workflow runs
    And "make" fails as timeout, maybe applied
    Then it faults with {status: 504}
    And how often is called "make": 1

  @32
  Scenario: What is cut short is settled first
    Given the workflow:
      """
      do: [ guarded: { try: [ make: { call: crm.create, timeout: { after: PT5S } } ], catch: { do: [ late: { set: '"late"' } ] } } ]
      """
    When the workflow runs
    And 5 seconds pass
    Then cut short are: /do/0/guarded/try/0/make:0.0
    And it goes on
    And "make" answers 1
    And it completes with late

  @33
  Scenario: A visit counts jumps and iterations, never attempts
    Given the workflow:
      """
      do:
        - get: { call: crm.read }
        - again: { switch: [ back: { when: '. < 2', then: get } ] }
      """
    When the workflow runs
    And "get" fails as overloaded
    And 1 seconds pass
    And "get" answers 1
    And "get" answers 2
    Then the places of calls are: /do/0/get:0, /do/0/get:0, /do/0/get:1

  @34
  Scenario: A faulted run goes on with the task that failed
    Given the workflow:
      """
      do: [ make: { call: crm.create }, get: { call: crm.read } ]
      """
    When the workflow runs
    And "make" answers 1
    And "get" fails as not_found
    And the run is continued
    Then it waits for calls: get
    And "get" answers fine
    And it completes with fine
