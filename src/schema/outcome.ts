import 'reflect-metadata';
import { Field, Float, ObjectType } from 'type-graphql';
import type { ErrorCode as Code } from '../errors.ts';
import type { Stage } from '../inference/request.ts';
import { ErrorCode } from './error-code.ts';
import { GenerationStage } from './generation.ts';
import { Needs } from './scope.ts';

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'Why a generation has failed.' })
export class Failure {
  @Field(() => ErrorCode, { description: 'Kind of the failure.' })
  code!: Code;

  @Field(() => String, { description: 'Message for people.' })
  message!: string;

  @Field(() => Boolean, { description: 'Whether the same request may succeed at another time.' })
  retryable!: boolean;
}

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description:
    'Everything beside the settings that the pixels depended on: checksums of the weights, runtime, execution provider, precision.',
})
export class Provenance {
  @Field(() => String, { description: "SHA-256 of the transformer's weights, hexadecimal." })
  modelSha256!: string;

  @Field(() => String, { description: "SHA-256 of the text encoder's weights, hexadecimal." })
  textEncoderSha256!: string;

  @Field(() => String, { description: "SHA-256 of the autoencoder's weights, hexadecimal." })
  vaeSha256!: string;

  @Field(() => String, { description: 'Name and version of the runtime of the networks.' })
  runtime!: string;

  @Field(() => String, { description: 'Execution provider, for example `cpu`.' })
  executionProvider!: string;

  @Field(() => String, { description: 'Number format of the computation, for example `F32`.' })
  precision!: string;

  @Field(() => String, { description: 'Version of Easel.' })
  engineVersion!: string;
}

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'Time that a stage took, added up over all images.',
})
export class Timing {
  @Field(() => GenerationStage, { description: 'The stage.' })
  stage!: Stage;

  @Field(() => Float, { description: 'Time in milliseconds.' })
  milliseconds!: number;
}
