import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.FhirVersionEnum;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.NpmPackageValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirDefaultPolicyAdvisor;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.common.hapi.validation.validator.WorkerContextValidationSupportAdapter;
import org.hl7.fhir.r5.elementmodel.Element;
import org.hl7.fhir.r5.elementmodel.Manager;
import org.hl7.fhir.r5.model.CanonicalResource;
import org.hl7.fhir.r5.model.CanonicalType;
import org.hl7.fhir.r5.utils.validation.IResourceValidator;
import org.hl7.fhir.r5.utils.validation.IValidationPolicyAdvisor;
import org.hl7.fhir.r5.utils.validation.IValidatorResourceFetcher;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;

/**
 * {@code Validate DATASET SUMMARY [R4] [R4B] [R5]}: every definition, resource and bundle of a case2fhir dataset against FHIR R4, R4B and R5.
 *
 * <p>Writes the counts, every error and each kind of warning as JSON to SUMMARY. Exit code 1 if there is any error, 2 if there was
 * nothing to check. Needs no network: definitions come from the class path, terminology is checked in memory.
 */
public class Validate {
  /** Published under these, but by no package registry: HAPI says that it does not know them, any other unknown extension is an error. */
  private static final String[] GUIDES = {
    "http://hl7.org/fhir/uv/ae-research-ig/",
    "http://hl7.org/fhir/uv/ae-research-backport-ig/",
    "http://hl7.org/fhir/us/icsr-ae-reporting/",
  };
  private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  public static void main(String[] arguments) throws Exception {
    Path dataset = Path.of(arguments[0]);
    ObjectNode summary = JSON.createObjectNode();
    int errors = 0;
    int checked = 0;
    List<String> versions = arguments.length > 2 ? List.of(arguments).subList(2, arguments.length) : List.of("R4", "R4B", "R5");
    for (String version : versions) {
      Run run = new Run(version, dataset.resolve("fhir"));
      if (run.isEmpty()) continue;
      run.validate();
      summary.set(version, run.summary());
      errors += run.errors.size();
      checked += run.checked.get();
      run.errors.forEach(error -> System.err.println(version + " " + error));
    }
    JSON.writeValue(Path.of(arguments[1]).toFile(), summary);
    System.exit(checked == 0 ? 2 : errors > 0 ? 1 : 0);
  }

  /** One FHIR version over one dataset. */
  private static class Run {
    final List<String> errors = new ArrayList<>();
    final AtomicInteger checked = new AtomicInteger();
    private final Map<String, ObjectNode> kinds = new TreeMap<>();
    private final List<Path> definitions;
    private final List<Path> resources;
    private final List<Path> bundles;
    private final FhirContext context;

    Run(String version, Path fhir) throws IOException {
      String written = version.equals("R4B") ? "R4" : version;
      context = switch (version) {
        case "R4" -> FhirContext.forR4();
        case "R4B" -> FhirContext.forR4B();
        default -> FhirContext.forR5();
      };
      definitions = find(fhir.resolve("profiles")).filter(path -> path.getFileName().toString().startsWith(written + "-")).toList();
      List<Path> lines = find(fhir.resolve(written)).filter(path -> path.toString().endsWith(".ndjson")).toList();
      bundles = lines.stream().filter(path -> fhir.relativize(path).getName(1).toString().startsWith("bundles")).toList();
      resources = lines.stream().filter(path -> !bundles.contains(path)).toList();
    }

    private static Stream<Path> find(Path folder) throws IOException {
      return Files.isDirectory(folder) ? Files.walk(folder).filter(Files::isRegularFile).sorted() : Stream.empty();
    }

    boolean isEmpty() {
      return resources.isEmpty() && bundles.isEmpty();
    }

    void validate() throws IOException {
      ValidationSupportChain support = support();
      FhirValidator alone = validator(support, Set.of());
      for (Path path : definitions) check(alone, path.getFileName().toString(), Files.readString(path));
      Set<String> known = ConcurrentHashMap.newKeySet();
      for (Path path : resources) {
        eachLine(path, (place, line) -> {
          String reference = reference(JSON.readTree(line));
          if (!known.add(reference)) error(place, "", reference + " occurs a second time");
        });
      }
      // A bundle must be complete in itself, so that bundles can be loaded in any order: references are looked up in it alone.
      Set<JsonNode> good = new HashSet<>();
      for (Path path : bundles) {
        eachLine(path, (place, line) -> {
          if (check(alone, place, line)) JSON.readTree(line).path("entry").forEach(entry -> good.add(entry.path("resource")));
        });
      }
      // What stands in a good bundle to the letter is as good in its file, and checking it again would take as long as the bundles.
      FhirValidator within = validator(support, known);
      for (Path path : resources) {
        eachLine(path, (place, line) -> {
          if (good.contains(JSON.readTree(line))) checked.incrementAndGet();
          else check(within, place, line);
        });
      }
    }

    private static String reference(JsonNode resource) {
      return resource.path("resourceType").asText() + "/" + resource.path("id").asText();
    }

    private ValidationSupportChain support() throws IOException {
      PrePopulatedValidationSupport own = new PrePopulatedValidationSupport(context);
      for (Path path : definitions) own.addResource(context.newJsonParser().parseResource(Files.readString(path)));
      NpmPackageValidationSupport packages = new NpmPackageValidationSupport(context);
      for (String name : System.getProperty("packages." + (definesR5() ? "R5" : "R4")).split(",")) packages.loadPackageFromClasspath(name);
      return new ValidationSupportChain(
          own, new DefaultProfileValidationSupport(context), packages,
          new CommonCodeSystemsTerminologyService(context), new InMemoryTerminologyServerValidationSupport(context),
          new SnapshotGeneratingValidationSupport(context));
    }

    private boolean definesR5() {
      return context.getVersion().getVersion() == FhirVersionEnum.R5;
    }

    private static FhirValidator validator(ValidationSupportChain support, Set<String> known) {
      FhirInstanceValidator module = new FhirInstanceValidator(support);
      module.setWrappedWorkerContext(support, new OfflineContext(support));
      module.setErrorForUnknownProfiles(true);
      module.setAnyExtensionsAllowed(false);
      module.setCustomExtensionDomains(GUIDES);
      module.setValidatorPolicyAdvisor(new ReferencesMustResolve());
      module.setValidatorResourceFetcher(new KnownResources(module, known));
      return support.getFhirContext().newValidator().registerValidatorModule(module);
    }

    private interface LineCheck {
      void check(String place, String line) throws IOException;
    }

    private void eachLine(Path path, LineCheck check) throws IOException {
      int number = 0;
      try (Stream<String> lines = Files.lines(path)) {
        for (String line : (Iterable<String>) lines::iterator) {
          check.check(path.getParent().getFileName() + "/" + path.getFileName() + ":" + ++number, line);
        }
      }
    }

    /** Whether there is no error. */
    private boolean check(FhirValidator validator, String place, String resource) {
      checked.incrementAndGet();
      int before = errors.size();
      for (SingleValidationMessage message : validator.validateWithResult(resource).getMessages()) {
        if (message.getSeverity().ordinal() >= ResultSeverityEnum.ERROR.ordinal()) {
          error(place, message.getLocationString(), message.getMessage());
        } else {
          remark(place, message);
        }
      }
      return errors.size() == before;
    }

    private void error(String place, String location, String text) {
      errors.add(place + " " + location + ": " + text);
    }

    private void remark(String place, SingleValidationMessage message) {
      // Ids and counters differ from text to text, the kind of remark does not.
      String text = message.getMessage().replaceAll("c[0-9a-f]{24}", "ID").replaceAll("#[^'\\s]+", "#CODE").replaceAll("\\[\\d+\\]", "[]");
      String severity = message.getSeverity().name().toLowerCase(Locale.ROOT);
      ObjectNode kind = kinds.computeIfAbsent(
          severity + " " + message.getMessageId() + " " + text,
          key -> JSON.createObjectNode().put("severity", severity).put("id", message.getMessageId()).put("text", text)
              .put("count", 0).put("first", place + " " + message.getLocationString()));
      kind.put("count", kind.get("count").asInt() + 1);
    }

    ObjectNode summary() {
      ObjectNode result = JSON.createObjectNode().put("checked", checked.get()).put("definitions", definitions.size());
      ArrayNode messages = result.putArray("errors");
      errors.forEach(messages::add);
      result.putArray("remarks").addAll(kinds.values());
      return result;
    }
  }

  /**
   * HL7's validator compares the version that an extension's context stands for ("4.0") with that of its own definitions ("4.0.1"),
   * takes them for two, and downloads the core package of FHIR for the first. Told the short form, it uses the definitions it has.
   */
  private static class OfflineContext extends WorkerContextValidationSupportAdapter {
    OfflineContext(IValidationSupport support) {
      super(support);
    }

    @Override
    public String getVersion() {
      return super.getVersion().replaceFirst("^(\\d+\\.\\d+)\\..*", "$1");
    }
  }

  /** Reference targets must exist and be of an allowed type; the targets are validated where they stand. */
  private static class ReferencesMustResolve extends FhirDefaultPolicyAdvisor {
    @Override
    public ReferenceValidationPolicy policyForReference(
        IResourceValidator validator, Object appContext, String path, String url, IValidationPolicyAdvisor.ReferenceDestinationType destination) {
      return ReferenceValidationPolicy.CHECK_EXISTS_AND_TYPE;
    }
  }

  /** Says of {@code Type/id} whether the dataset has it; of a target only the type matters. */
  private static class KnownResources implements IValidatorResourceFetcher {
    private final FhirInstanceValidator module;
    private final Set<String> known;

    KnownResources(FhirInstanceValidator module, Set<String> known) {
      this.module = module;
      this.known = known;
    }

    @Override
    public Element fetch(IResourceValidator validator, Object appContext, String url) throws IOException {
      if (!known.contains(url)) return null;
      String[] parts = url.split("/");
      String stub = JSON.createObjectNode().put("resourceType", parts[0]).put("id", parts[1]).toString();
      return Manager.parseSingle(
          module.getWorkerContext(), new ByteArrayInputStream(stub.getBytes(StandardCharsets.UTF_8)), Manager.FhirFormat.JSON);
    }

    @Override
    public boolean resolveURL(
        IResourceValidator validator, Object appContext, String path, String url, String type, boolean canonical, List<CanonicalType> targets) {
      return true;
    }

    @Override
    public byte[] fetchRaw(IResourceValidator validator, String url) {
      return null;
    }

    @Override
    public IValidatorResourceFetcher setLocale(Locale locale) {
      return this;
    }

    @Override
    public CanonicalResource fetchCanonicalResource(IResourceValidator validator, Object appContext, String url) {
      return null;
    }

    @Override
    public boolean fetchesCanonicalResource(IResourceValidator validator, String url) {
      return false;
    }

    @Override
    public Set<ResourceVersionInformation> fetchCanonicalResourceVersions(IResourceValidator validator, Object appContext, String url) {
      return Set.of();
    }
  }
}
