import { z } from 'zod'
import { settingsSchema } from '../settings.ts'

/** Settings of the check: those of the agent, and none of them is required. */
export const checkSettingsSchema = settingsSchema.extend({
  poolsFile: settingsSchema.shape.poolsFile.optional(),
  stateDir: settingsSchema.shape.stateDir.optional(),
  pools: z.string().min(1).optional().describe('The same as `pools_file`.'),
  json: z.boolean().default(false).describe('Print the lines as JSON.'),
})

/** What `pool-managerd check` is asked with. */
export type CheckSettings = Readonly<z.infer<typeof checkSettingsSchema>>
