import { BadInput, DomainError } from '../../errors.ts';
import type { Preset, PrismaClient } from '../../generated/prisma/client.ts';
import type { AskedSettings } from '../../inference/request.ts';
import { lockUser } from '../access/keys.ts';
import type { Viewer } from '../access/viewer.ts';
import { refuse } from '../input/problems.ts';
import { nameProblems } from '../input/text.ts';
import { NotFound, requireRowId } from '../relay/global-id.ts';
import { presetLimits } from './limits.ts';

/** Settings to start from; what is left out is not part of the preset. */
export type PresetSettings = Partial<AskedSettings>;

export type Presets = {
  /** By name. */
  list(viewer: Viewer): Promise<Preset[]>;
  /** @throws BadInput also where the viewer has one of this name, DomainError QUOTA_EXCEEDED */
  create(
    viewer: Viewer,
    input: { name: string; settings: PresetSettings },
  ): Promise<{ preset: Preset }>;
  /** @throws NotFound */
  remove(viewer: Viewer, globalId: string): Promise<{ deletedPresetId: string }>;
  /** By row id; null where there is none or it is not the viewer's. */
  load(viewer: Viewer, rowId: string): Promise<Preset | null>;
};

export function createPresets({
  client,
  check,
}: {
  client: PrismaClient;
  /** @throws BadInput with all problems of the settings */
  check: (settings: PresetSettings) => Promise<void>;
}): Presets {
  return {
    list: (viewer) =>
      client.preset.findMany({ where: { ownerId: viewer.id }, orderBy: { name: 'asc' } }),
    async create(viewer, input) {
      refuse(nameProblems(['name'], input.name, presetLimits.name));
      const given = Object.entries(input.settings).filter(([, value]) => value != null);
      const settings = Object.fromEntries(given);
      await check(settings);
      const name = input.name.trim();
      return client.$transaction(async (tx) => {
        await lockUser(tx, viewer.id);
        const where = { ownerId: viewer.id };
        const got = await tx.preset.count({ where });
        if (got >= presetLimits.perUser) throw tooMany(got);
        const taken = await tx.preset.findUnique({ where: { ownerId_name: { ...where, name } } });
        if (taken !== null) throw isTaken(name);
        return { preset: await tx.preset.create({ data: { ...where, name, settings } }) };
      });
    },
    async remove(viewer, globalId) {
      const id = requireRowId('Preset', globalId);
      const { count } = await client.preset.deleteMany({ where: { id, ownerId: viewer.id } });
      if (count === 0) throw new NotFound('a preset', globalId, ['id']);
      return { deletedPresetId: globalId };
    },
    load: (viewer, id) => client.preset.findUnique({ where: { id, ownerId: viewer.id } }),
  };
}

function isTaken(name: string): BadInput {
  return new BadInput({ path: ['name'], expected: 'a name that no other preset has', got: name });
}

function tooMany(got: number): DomainError {
  const max = presetLimits.perUser;
  const text = `Expected fewer than ${max} presets of yours, but got ${got}: delete some first`;
  return new DomainError('QUOTA_EXCEEDED', text, { max, got });
}
