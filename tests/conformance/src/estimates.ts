export { ESTIMATE_GRID, MEASURED_GRID, type EstimateCase } from './estimate-grid.ts'
export { loggedTotal, runEstimate, termOf, type EstimateRun } from './run-estimate.ts'
