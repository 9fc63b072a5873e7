export { driverOf, drivers } from './drivers.ts'
export { embeddedDriver } from './embedded-driver.ts'
export { openAiDriver } from './openai-driver.ts'
export { simDriver } from './sim-driver.ts'
