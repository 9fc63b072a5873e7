export { expectedAnswer, expectedText, type Answer, type AnswerRequest } from './answer.ts'
export { chatPrompt, countTokens, promptHash, type ChatMessage } from './prompt.ts'
export {
  DEFAULT_KNOBS,
  DIALECTS,
  flagOfKnob,
  isLiveKnob,
  knobsFromFlags,
  knobOfOption,
  optionsOfKnobs,
  patchKnobs,
  type Dialect,
  type KnobName,
  type Knobs,
  type KnobsResult,
} from './knobs.ts'
