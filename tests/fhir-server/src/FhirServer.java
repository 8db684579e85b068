import ca.uhn.fhir.batch2.api.IJobMaintenanceService;
import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.batch2.jobs.export.BulkDataExportProvider;
import ca.uhn.fhir.batch2.jobs.imprt.BulkDataImportProvider;
import ca.uhn.fhir.batch2.jobs.imprt.ResourceOrderUtil;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.r5.JpaR5Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.interceptor.RequestValidatingInterceptor;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import jakarta.persistence.EntityManagerFactory;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.apache.commons.dbcp2.BasicDataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.common.hapi.validation.validator.WorkerContextValidationSupportAdapter;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;
import org.springframework.transaction.annotation.EnableTransactionManagement;

/**
 * {@code FhirServer R4|R5 PORT}: HAPI FHIR's JPA server at http://127.0.0.1:PORT/fhir until it is killed; its data live in memory.
 *
 * <p>Requests are validated (an error is answered with 412) unless started with {@code -Dvalidate=false}; references must resolve on
 * write and on delete. Everything else is HAPI's default.
 */
public class FhirServer {
  public static void main(String[] arguments) throws Exception {
    Class<?> version = arguments[0].equals("R5") ? R5.class : R4.class;
    ApplicationContext beans = new AnnotationConfigApplicationContext(version);
    if (version == R5.class) orderTypes(beans.getBean(BulkDataImportProvider.class));
    // Steps of $import and $export wait for HAPI's job maintenance, once a minute; tests do not want to wait.
    IJobMaintenanceService jobs = beans.getBean(IJobMaintenanceService.class);
    Executors.newSingleThreadScheduledExecutor().scheduleWithFixedDelay(jobs::runMaintenancePass, 1, 1, TimeUnit.SECONDS);
    ServletContextHandler handler = new ServletContextHandler();
    handler.addServlet(new ServletHolder(beans.getBean(RestfulServer.class)), "/fhir/*");
    Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[1])));
    server.setHandler(handler);
    server.start();
    server.join();
  }

  /**
   * Before an $import, HAPI sorts all resource types so that those referred to come first; over R5's types, which refer to each other
   * in circles, it never comes to an end. Given the order of R4's types it does not sort.
   */
  private static void orderTypes(BulkDataImportProvider provider) throws ReflectiveOperationException {
    Field order = BulkDataImportProvider.class.getDeclaredField("myResourceTypeOrder");
    order.setAccessible(true);
    order.set(provider, ResourceOrderUtil.getResourceOrder(FhirContext.forR4Cached()));
  }

  @Configuration
  @Import({JpaR4Config.class, Common.class})
  static class R4 {}

  @Configuration
  @Import({JpaR5Config.class, Common.class})
  static class R5 {}

  @Configuration
  @EnableTransactionManagement
  @Import({
    HapiJpaConfig.class, ThreadPoolFactoryConfig.class, JpaBatch2Config.class, Batch2JobsConfig.class,
    SubscriptionChannelConfig.class
  })
  static class Common {
    @Bean
    JpaStorageSettings storageSettings() {
      JpaStorageSettings settings = new JpaStorageSettings();
      settings.setPreExpandValueSets(false);
      return settings;
    }

    @Bean
    PartitionSettings partitionSettings() {
      return new PartitionSettings();
    }

    @Bean
    SubscriptionSettings subscriptionSettings() {
      return new SubscriptionSettings();
    }

    @Bean
    DataSource dataSource() {
      BasicDataSource source = new BasicDataSource();
      source.setUrl("jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1");
      source.setMaxTotal(32);
      return source;
    }

    @Bean
    @Primary
    LocalContainerEntityManagerFactoryBean entityManagerFactory(
        DataSource source, ConfigurableListableBeanFactory beans, FhirContext context, JpaStorageSettings settings) {
      Properties properties = new Properties();
      properties.put("hibernate.dialect", HapiFhirH2Dialect.class.getName());
      properties.put("hibernate.hbm2ddl.auto", "create");
      properties.put("hibernate.search.enabled", "false");
      LocalContainerEntityManagerFactoryBean factory = HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, context, settings);
      factory.setPersistenceUnitName("fhir");
      factory.setDataSource(source);
      factory.setJpaProperties(properties);
      return factory;
    }

    @Bean
    @Primary
    JpaTransactionManager transactionManager(EntityManagerFactory factory) {
      return new JpaTransactionManager(factory);
    }

    @Bean
    RestfulServer restfulServer(
        IFhirSystemDao<?, ?> systemDao, IJpaSystemProvider systemProvider, ResourceProviderFactory resourceProviders,
        JpaStorageSettings settings, ISearchParamRegistry searchParameters, IValidationSupport validationSupport,
        FhirInstanceValidator validator, DatabaseBackedPagingProvider paging, BulkDataImportProvider bulkImport,
        BulkDataExportProvider bulkExport) {
      RestfulServer server = new RestfulServer(systemDao.getContext());
      server.registerProviders(resourceProviders.createProviders());
      server.registerProviders(systemProvider, bulkImport, bulkExport);
      server.setPagingProvider(paging);
      JpaCapabilityStatementProvider capabilities =
          new JpaCapabilityStatementProvider(server, systemDao, settings, searchParameters, validationSupport);
      capabilities.setImplementationDescription("HAPI FHIR JPA server for the tests of case2fhir");
      server.setServerConformanceProvider(capabilities);
      validator.setWrappedWorkerContext(validationSupport, new OfflineContext(validationSupport));
      if (!"false".equals(System.getProperty("validate"))) {
        RequestValidatingInterceptor validation = new RequestValidatingInterceptor();
        validation.setValidatorModules(List.of(validator));
        validation.setFailOnSeverity(ResultSeverityEnum.ERROR);
        server.registerInterceptor(validation);
      }
      return server;
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
}
