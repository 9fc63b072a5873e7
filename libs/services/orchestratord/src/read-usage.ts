export interface Usage {
  readonly tokensIn: number
  readonly tokensOut: number
}

/** Reads the ingress's trailer `Berth-Usage: in=12,out=34`; anything else is no usage. */
export const readUsage = (trailer: string | undefined): Usage | undefined => {
  const match = /^in=(\d{1,9}),out=(\d{1,9})$/.exec(trailer ?? '')
  return match ? { tokensIn: Number(match[1]), tokensOut: Number(match[2]) } : undefined
}
