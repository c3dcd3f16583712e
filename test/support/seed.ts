/**
 * Where the random choices of a test begin: `SEED` where it is given (`SEED=random`: another each time), otherwise the same in every run, so that
 * no change is refused by chance.
 */
const given = process.env['SEED'];

export const seed = given === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(given ?? 20_26);
