export { createSimClock, settle, type SimClock } from './sim-clock.ts'
