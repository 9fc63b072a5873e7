export type { MemoryPlan } from './memory-plan.ts'
export type { ModelFacts } from './model-facts.ts'
