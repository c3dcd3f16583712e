export const NO_LOOP_DEVICES = 'no loop devices here';

/** What a machine may lack: a test skipped for one of these reasons does not fail CI; any other skip does. The reason stands in the test's title. */
export const MAY_LACK: readonly string[] = [NO_LOOP_DEVICES];
