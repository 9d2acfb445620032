import 'reflect-metadata';
import { ArgsType, Field, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { AssetOrigin, AssetRole, GenerationKind, ImageFormat } from '../generated/prisma/enums.ts';
import type { Sampler } from '../inference/request.ts';
import { connectionOf } from './connection.ts';
import { describe, enumOf } from './enumeration.ts';
import { Node } from './node.ts';
import { SamplerName } from './sampler.ts';
import { Bytes, DateTime, Seed } from './scalars.ts';

registerEnumType(ImageFormat, {
  name: 'ImageFormat',
  description: 'What a picture is packed as.',
  valuesConfig: describe<keyof typeof ImageFormat>({
    PNG: 'Lossless; what originals are.',
    JPEG: 'For photographs, everywhere.',
    WEBP: 'Smaller than JPEG.',
    AVIF: 'Smallest, and slow to make.',
  }),
});

export const ImageFit = enumOf(['CONTAIN', 'COVER']);
export type ImageFit = keyof typeof ImageFit;
registerEnumType(ImageFit, {
  name: 'ImageFit',
  description: 'How a picture goes into a box of other proportions.',
  valuesConfig: describe<ImageFit>({
    CONTAIN: 'All of it, within the box.',
    COVER: 'The box filled, and the rest cut off.',
  }),
});

registerEnumType(AssetOrigin, {
  name: 'AssetOrigin',
  description: 'Where a picture came from.',
  valuesConfig: describe<keyof typeof AssetOrigin>({
    GENERATED: 'The engine made it.',
    UPLOADED: 'Somebody brought it.',
  }),
});

registerEnumType(AssetRole, {
  name: 'AssetRole',
  description: 'A MASK is a means, not a picture: lists leave it out unless they ask for it.',
  valuesConfig: describe<keyof typeof AssetRole>({
    IMAGE: 'A picture.',
    MASK: 'White where a picture is to be repainted.',
  }),
});

@ObjectType({ implements: Node, simpleResolvers: true, description: 'A stored picture.' })
export class Asset extends Node {
  @Field(() => AssetOrigin, { description: 'Where it came from.' })
  origin!: AssetOrigin;

  @Field(() => AssetRole, { description: 'What it is for.' })
  role!: AssetRole;

  @Field(() => DateTime, { description: 'When it was stored.' })
  createdAt!: Date;

  @Field(() => Int, { description: "The stored image's own, in pixels." })
  width!: number;

  @Field(() => Int, { description: "The stored image's own, in pixels." })
  height!: number;

  @Field(() => ImageFormat, { description: "The stored image's own." })
  format!: ImageFormat;

  @Field(() => Bytes, { description: 'Length of the stored file.' })
  bytes!: bigint;

  @Field(() => String, { description: 'Checksum of the stored file, hexadecimal.' })
  sha256!: string;

  @Field(() => String, {
    description: 'A few dozen bytes (ThumbHash, base64) to paint before the image arrives.',
  })
  placeholder!: string;

  @Field(() => Seed, { nullable: true, description: "This image's own; null where uploaded." })
  seed!: bigint | null;

  @Field(() => Int, { nullable: true, description: 'Which image of its generation.' })
  index!: number | null;

  @Field(() => String, { nullable: true, description: 'As people call it.' })
  title!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was put into the trash.' })
  trashedAt!: Date | null;
}

export const AssetConnection = connectionOf(() => Asset, 'Asset', 'assets');

@ArgsType()
export class LinkArgs {
  @Field(() => Int, {
    nullable: true,
    description: 'Pixels; snaps up to one of `server.renditionWidths`, never beyond the original.',
  })
  width?: number | null;

  @Field(() => Int, { nullable: true, description: 'Pixels; snaps as `width` does.' })
  height?: number | null;

  @Field(() => ImageFit, {
    description: 'How it goes into a box of other proportions.',
    defaultValue: 'CONTAIN',
  })
  fit!: ImageFit;

  @Field(() => ImageFormat, {
    nullable: true,
    description: "Without it, a rendition's format follows the request's Accept header.",
  })
  format?: ImageFormat | null;

  @Field(() => Boolean, {
    description: 'The browser saves it in place of showing it.',
    defaultValue: false,
  })
  download!: boolean;

  @Field(() => Boolean, {
    description: 'Without prompt, settings and other words in the file.',
    defaultValue: false,
  })
  stripMetadata!: boolean;
}

@InputType({ description: 'Which assets: all that is given must hold.' })
export class AssetFilter {
  @Field(() => AssetOrigin, { nullable: true, description: 'From here.' })
  origin?: AssetOrigin | null;

  @Field(() => AssetRole, { description: 'For this.', defaultValue: 'IMAGE' })
  role!: AssetRole;

  @Field(() => [GenerationKind], { nullable: true, description: 'Made in one of these ways.' })
  kind?: GenerationKind[] | null;

  @Field(() => String, { nullable: true, description: 'A part of the title or of the prompt.' })
  search?: string | null;

  @Field(() => Seed, { nullable: true, description: 'With this seed.' })
  seed?: number | null;

  @Field(() => String, { nullable: true, description: 'Made with the model of this name.' })
  model?: string | null;

  @Field(() => SamplerName, { nullable: true, description: 'Made with this sampler.' })
  sampler?: Sampler | null;

  @Field(() => DateTime, { nullable: true, description: 'Stored after this moment.' })
  createdAfter?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Stored before this moment.' })
  createdBefore?: Date | null;

  @Field(() => Boolean, { description: 'Those in the trash instead.', defaultValue: false })
  trashed!: boolean;
}
