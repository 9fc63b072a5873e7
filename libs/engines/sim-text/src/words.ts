/**
 * The vocabulary. Some words need two, three and four bytes of UTF-8, or escapes in JSON, so that
 * a relay which breaks bytes or re-encodes text is caught.
 */
export const WORDS: readonly string[] = `
harbour berth anchor keel mast sail rope tide wave current channel buoy pilot tug barge crane
dock quay pier slip lock canal river delta coast bay cape reef shoal island strait passage
north south east west wind storm calm fog rain sun star moon night dawn dusk noon
cargo crate pallet hold deck hatch hull bow stern port starboard bridge helm wheel rudder chart
compass sextant log knot league fathom depth draught load ballast freight manifest voyage route
crew captain mate bosun cook steward signal flag lamp bell horn radio watch shift relief order
a the and of to in on with by from over under near past beyond before after while until since
is was will can may must should would moves turns waits holds lifts lowers carries brings takes
small large quick slow bright dark heavy light empty full open closed early late first last
one two three four five six seven eight nine ten many few some every each both neither
naïve café façade Überfahrt señal fjörd smørrebrød 東京 港口 船舶 море корабль λιμάνι 🚢 ⚓ 🌊
"quoted" back\\slash it's <tag> &amp; semi; comma, stop. ask? shout! (aside) [index] {brace}
`
  .trim()
  .split(/\s+/)
