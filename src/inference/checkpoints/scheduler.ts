import { join } from 'node:path';
import { z } from 'zod';
import { identityOf } from './checkpoint.ts';
import { readJson } from './json-file.ts';

/** diffusers' scheduler of a model: which class, with which of its options set. */
export type SchedulerCheckpoint = {
  readonly className: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of the file that the options were read from. */
  readonly identity: string;
};

const fileSchema = z.looseObject({ _class_name: z.string().nullish() });

/**
 * Read `scheduler/` of a model folder. As diffusers does, the class that `model_index.json` names
 * counts, whatever class the options were saved by.
 * @throws FileUnreadable, FileDamaged
 */
export async function openScheduler(
  folder: string,
  indexClass: string | null,
): Promise<SchedulerCheckpoint> {
  const { value, stamp } = await readJson(join(folder, 'scheduler_config.json'), fileSchema);
  const { _class_name: ownClass, ...options } = value;
  const className = indexClass ?? ownClass ?? 'DPMSolverMultistepScheduler';
  return { className, options, identity: identityOf([stamp.version]) };
}
