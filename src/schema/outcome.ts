import 'reflect-metadata';
import { Field, Float, ObjectType } from 'type-graphql';
import type { ErrorCode as Code } from '../errors.ts';
import type { Stage } from '../inference/request.ts';
import { ErrorCode } from './error-code.ts';
import { GenerationStage } from './generation.ts';

@ObjectType({ simpleResolvers: true, description: 'Why a generation could not be finished.' })
export class Failure {
  @Field(() => ErrorCode, { description: 'For programs.' })
  code!: Code;

  @Field(() => String, { description: 'For people.' })
  message!: string;

  @Field(() => Boolean, { description: 'The same again may succeed.' })
  retryable!: boolean;
}

@ObjectType({
  simpleResolvers: true,
  description:
    'Checksums of the weights, runtime version, execution provider, precision: the reproducibility record.',
})
export class Provenance {
  @Field(() => String, { description: "SHA-256 of the transformer's weights." })
  modelSha256!: string;

  @Field(() => String, { description: "SHA-256 of the text encoder's weights." })
  textEncoderSha256!: string;

  @Field(() => String, { description: "SHA-256 of the autoencoder's weights." })
  vaeSha256!: string;

  @Field(() => String, { description: 'What ran the networks, with its version.' })
  runtime!: string;

  @Field(() => String, { description: 'The processor that it ran on, for example `cpu`.' })
  executionProvider!: string;

  @Field(() => String, { description: 'Of the numbers computed with, for example `fp32`.' })
  precision!: string;

  @Field(() => String, { description: "The program's own version." })
  engineVersion!: string;
}

@ObjectType({ simpleResolvers: true, description: 'How long a stage took, in all images.' })
export class Timing {
  @Field(() => GenerationStage, { description: 'Which stage.' })
  stage!: Stage;

  @Field(() => Float, { description: 'Milliseconds.' })
  milliseconds!: number;
}
