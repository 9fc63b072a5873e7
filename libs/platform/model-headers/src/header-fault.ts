/** Why a header cannot be used: a fact of the file, in words of people. */
export class HeaderFault extends Error {
  override readonly name = 'HeaderFault'
  /** The file it is of. */
  readonly path: string

  constructor(path: string, fact: string) {
    super(fact)
    this.path = path
  }
}
