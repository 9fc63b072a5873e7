// Rules that keep time, chance and the system out of code that takes them as ports.

const port = (name) => `Take ${name} as a port (see @berth/kernel).`

export const noAmbientTime = {
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: port('a Clock') },
    { object: 'performance', property: 'now', message: port('a Clock') },
    { object: 'Math', property: 'random', message: port('an Rng') },
    { object: 'crypto', property: 'randomUUID', message: port('an Rng') },
    { object: 'crypto', property: 'getRandomValues', message: port('an Rng') },
  ],
  'no-restricted-syntax': [
    'error',
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: port('a Clock') },
    { selector: 'CallExpression[callee.name="Date"]', message: port('a Clock') },
  ],
}

const timers = ['setTimeout', 'setInterval', 'setImmediate']

export const noProcess = {
  'no-restricted-globals': [
    'error',
    ...timers.map((name) => ({ name, message: port('a Clock') })),
    { name: 'fetch', message: port('the network') },
    { name: 'process', message: 'Only @berth/runtime sees the process.' },
    { name: 'console', message: port('a Logger') },
  ],
}

export const noNodeBuiltins = {
  'no-restricted-imports': [
    'error',
    { patterns: [{ group: ['node:*'], message: 'A pure lib has no system to call.' }] },
  ],
}
