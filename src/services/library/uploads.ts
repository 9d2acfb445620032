import { createHash, randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { DomainError } from '../../errors.ts';
import type { Asset, AssetRole, Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { extensionOf } from '../../images/formats.ts';
import { ImageRejected } from '../../images/sniff.ts';
import { readUpload } from '../../images/upload.ts';
import { lockUser } from '../access/keys.ts';
import { checkStored, type Quotas } from '../access/quotas.ts';
import type { Viewer } from '../access/viewer.ts';
import { recordAssets } from '../event-log/assets.ts';
import { change } from '../event-log/change.ts';
import { refuse } from '../input/problems.ts';
import { nameProblems } from '../input/text.ts';
import { idProblems, NotFound, rowIdOf, toGlobalId } from '../relay/global-id.ts';
import type { AssetChangeDeps } from './asset-changes.ts';
import { createFairTurns } from './fair-turns.ts';
import { assetLimits, uploadLimits } from './limits.ts';
import { tagProblems } from './tags.ts';

/** A file as it arrives. */
export type IncomingFile = { createReadStream(): Readable };

export type UploadInput = {
  /** Global id; the viewer's default project where left out. */
  readonly projectId?: string | null;
  readonly file: Promise<IncomingFile>;
  readonly role?: AssetRole | null;
  readonly title?: string | null;
  readonly tags?: readonly string[] | null;
};

export type UploadDeps = AssetChangeDeps & {
  readonly quotas: Quotas;
  readonly maxBytes: number;
  readonly maxPixels: number;
};

export type Uploads = {
  /** Nothing is left of one that is refused. @throws BadInput, NotFound, ImageRejected, DomainError QUOTA_EXCEEDED */
  upload(viewer: Viewer, input: UploadInput, signal: AbortSignal): Promise<{ asset: Asset }>;
};

export function createUploads(deps: UploadDeps): Uploads {
  const turns = createFairTurns(uploadLimits);
  return {
    async upload(viewer, input, signal) {
      const { projectId, role, title, tags } = input;
      refuse([
        ...idProblems('Project', projectId, ['projectId']),
        ...nameProblems(['title'], title, assetLimits.title),
        ...tagProblems(['tags'], tags, assetLimits.tags.max),
      ]);
      const { id } = await projectFor(deps.client, viewer, projectId);
      const image = await turns.run(viewer.id, {
        isWanted: () => !signal.aborted,
        // Read in its turn: until then it lies on the disk.
        work: async () => readUpload(await readAll(input.file, deps.maxBytes), deps),
      });
      if (image === null) throw cutOff(signal.reason);
      const { format, width, height, bytes, placeholder, embedded } = image;
      const storageKey = `${uploadsFolder}${randomUUID()}.${extensionOf(format)}`;
      await deps.storage.write(storageKey, bytes);
      try {
        return await change(deps, async ({ tx, record }) => {
          await lockUser(tx, viewer.id);
          await checkStored(tx, deps.quotas, viewer.id);
          await projectFor(tx, viewer, projectId);
          const asset = await tx.asset.create({
            data: {
              ...{ ownerId: viewer.id, projectId: id, origin: 'UPLOADED', role: role ?? 'IMAGE' },
              ...{ width, height, format, bytes: bytes.length, placeholder, storageKey },
              sha256: createHash('sha256').update(bytes).digest('hex'),
              title: title?.trim() ?? null,
              tags: [...new Set((tags ?? []).map((tag) => tag.trim()))],
              ...(embedded ? { embedded: { create: { settings: { ...embedded } } } } : {}),
            },
          });
          recordAssets({ record }, viewer.id, 'AssetsChanged', [asset]);
          return { asset };
        });
      } catch (error) {
        await deps.storage.delete(storageKey);
        throw error;
      }
    },
  };
}

/** Where the files of uploads lie. */
export const uploadsFolder = 'uploads/';

/** @throws NotFound */
async function projectFor(
  client: PrismaClient | Prisma.TransactionClient,
  viewer: Viewer,
  globalId: string | null | undefined,
): Promise<{ id: string }> {
  const id = globalId == null ? viewer.defaultProjectId : (rowIdOf('Project', globalId) ?? '');
  const where = { id, ownerId: viewer.id, trashedAt: null };
  const project = await client.project.findUnique({ where, select: { id: true } });
  if (project !== null) return project;
  throw new NotFound('a project', globalId ?? toGlobalId('Project', id), ['projectId']);
}

/** @throws ImageRejected where there are more bytes than may be, DomainError where they end early */
async function readAll(file: Promise<IncomingFile>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let got = 0;
  try {
    for await (const chunk of (await file).createReadStream()) {
      got += chunk.length;
      if (got > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const isTooLarge = Object(error).status === 413;
    throw isTooLarge ? tooLarge(maxBytes) : cutOff(error);
  }
  return Buffer.concat(chunks);
}

function tooLarge(max: number): ImageRejected {
  return new ImageRejected(`Expected a file of at most ${max} bytes, but got a larger one`, {
    max,
  });
}

function cutOff(cause: unknown): DomainError {
  const text = 'Expected a whole file, but its upload was cut off';
  return new DomainError('UPLOAD_REJECTED', text, {}, { cause });
}
