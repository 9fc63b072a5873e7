export { startAgent, type Agent, type AgentSurroundings } from './agent.ts'
export { settingsSchema, type Settings } from './settings.ts'
