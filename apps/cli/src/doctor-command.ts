import type { Command } from 'commander'
import { doctor, type DoctorContext } from './doctor.ts'
import type { Paths } from './paths.ts'
import { runCommand } from './run-command.ts'

/** `berth doctor` and its flags. */
export const addDoctorCommand = (program: Command, paths: Paths): void => {
  program
    .command('doctor')
    .description('look for what is in the way of a fleet on this machine; starts nothing')
    .option('--pools <file>', 'a pools file to check (default: that of the fleet that runs)')
    .option('--json', 'as JSON', false)
    .action((options: DoctorContext['options']) =>
      runCommand((context) => doctor({ ...context, paths, options })),
    )
}
