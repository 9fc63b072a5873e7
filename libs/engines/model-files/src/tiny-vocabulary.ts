/** One token: its text as SentencePiece writes it, and whether the model may ever say it. */
export interface TinyToken {
  readonly text: string
  /** The token types of GGUF that are used here. */
  readonly kind: 'normal' | 'unknown' | 'control' | 'byte'
  /** What it may be said as; the others are only ever read. */
  readonly said: 'word' | 'punctuation' | 'end' | 'never'
}

/**
 * The tokens of the tiny model, in the order of their ids. Any text can be read: words and the
 * beginnings of words as one token each (SentencePiece only merges into tokens that exist, so every
 * beginning of a word must be one), other letters one by one, everything else byte by byte.
 */
export const tinyVocabulary = (): readonly TinyToken[] => {
  const words = WORDS.trim().split(/\s+/)
  const beginnings = words.flatMap((word) =>
    Array.from(word.slice(1), (_, index) => SPACE + word.slice(0, index + 1)),
  )
  const wordTexts = new Set(words.map((word) => SPACE + word))
  const letters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))
  const readOnly = [SPACE, ...letters.filter((letter) => !PUNCTUATION.includes(letter))]
  return [
    { text: '<unk>', kind: 'unknown', said: 'never' },
    { text: '<s>', kind: 'control', said: 'never' },
    { text: '</s>', kind: 'control', said: 'never' },
    ...Array.from({ length: 256 }, (_, byte) => byteToken(byte)),
    { text: TURN_START, kind: 'control', said: 'never' },
    { text: TURN_END, kind: 'control', said: 'end' },
    ...readOnly.filter((text) => text !== ' ').map(normal('never')),
    ...[...PUNCTUATION].map(normal('punctuation')),
    ...[...new Set(beginnings)].filter((text) => !wordTexts.has(text)).map(normal('never')),
    ...[...wordTexts].map(normal('word')),
  ]
}

/** The control tokens of the ChatML format. */
export const TURN_START = '<|im_start|>'
export const TURN_END = '<|im_end|>'

const SPACE = '\u2581'
const PUNCTUATION = '.,?!'

const normal =
  (said: TinyToken['said']) =>
  (text: string): TinyToken => ({ text, kind: 'normal', said })

const byteToken = (byte: number): TinyToken => ({
  text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  kind: 'byte',
  said: 'never',
})

const WORDS = `
  a about above across after again air all along also am an and animal another any are around as
  ask at away back bay be because been before began below berth between big bird blue boat both
  bright bring but by call calm came can captain cargo carry change children city clear close
  cloud coast cold come could country course crane crew cross day deck deep did do dock does
  done door down draw each early earth east easy eat end enough even evening ever every eye far
  fast father feet few find fire first fish follow food for form found four from full gave get
  girl give glass go gold good great green grow had half hand harbour hard has have he head hear
  heart help her here high him his hold home hope horse hour house how hundred i idea if in is
  island it its just keep kind know land large last late learn leave left let letter life light
  like line list listen little live long look low made make man many map mark may me mean might
  mile mind moon more morning mountain move much music must my name near need never new next
  night no north not now number of off often old on once one only open or order other our out
  over own page paper part people place plan plant play point port press quick quiet rain ran
  read ready real red rest right river road rock room rope round run said sail salt same sand
  saw say sea second see seem sent set she ship shore short should show side sing sky sleep slow
  small snow so some song soon sound south stand star start stay stone stood stop story street
  strong such summer sun sure table take talk tell ten than that the their them then there these
  they thing think this those thought three through tide time to together told too took top
  tower town travel tree true try turn two under until up us use very voice wait walk wall want
  warm was watch water wave way we well went were west what when where which while white who why
  wide will wind winter wish with without wonder wood word work world would write year yes yet
  you young your
`
