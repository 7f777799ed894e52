//! Names of months and weekdays, in small letters, as the C library's locales write them: full and short, with and
//! without case endings. What is a month in one language and another month in another (Croatian `lipanj`, June, and
//! Polish `lip`, July) is the one of the larger.

/// January to December, the names of each separated by spaces.
pub(super) const MONTHS: [&str; 12] = [
    "ean eanáir ene enero gen gener gennaio ian ianuarie ion ionawr jaan jaanuar jan janeiro jannuaar \
     januar januari januarie january január janv janvier janvāris janúar jän jänner led leden ledna oca \
     ocak saus sausio sausis sij siječanj siječnja sty styczeń stycznia tammi tammikuu urt urtarrila xan \
     xaneiro yan yanvar ιαν ιανουάριος ιανουαρίου сту студзень студзеня січ січень січня янв январь \
     января яну януари јан јануар јануари қаң қаңтар ינו ינואר يناير ژانویه जनवरी जन॰ ม.ค มกราคม",
    "chw chwefror feabh feabhra feb febbraio feberwaar febr febreiro febrer febrero februar februari \
     februarie february február februāris febrúar fev fevereiro fevral fév févr février helmi helmikuu \
     lut lutego luty ots otsaila vas vasario vasaris veebr veebruar velj veljača veljače úno únor února \
     şub şubat φεβ φεβρουάριος φεβρουαρίου ақп ақпан лют лютага лютий лютого люты феб фебруар фев февраль \
     февраля февруари פבר פברואר فبراير فوریه फ़रवरी फ़र॰ ก.พ",
    "bře březen března kov kovas kovo maalis maaliskuu maart mac mar marca march marec maret mars mart \
     martie marts martxoa marzec marzo març março maw mawrth mrt mrz márc március márta mäe mäerz mär \
     märts märz ožu ožujak ožujka μάρ μάρτιος μαρ μαρτίου бер березень березня мар март марта нау наурыз \
     сак сакавік сакавіка מרץ مارس मार्च มี.ค มีนาคม",
    "abr abril abrëll aib aibreán api apirila apr aprel april aprile aprilie aprill apríl aprīlis avr \
     avril bal balandis balandžio dub duben dubna d’abr d’abril ebr ebrill huhti huhtikuu kwi kwiecień \
     kwietnia nis nisan tra travanj travnja ápr április απρ απρίλιος απριλίου апр апрель апреля април кві \
     квітень квітня кра красавік красавіка сәу сәуір אפר אפריל آوریل أبريل अप्रैल เม.ย เมษายน",
    "beal bealtaine geg gegužė gegužės kvě květen května mag maggio mai maiatza maig maijs maio maj maja \
     may mayo mayıs maí mee mei máj május svi svibanj svibnja touko toukokuu μάι μάιος μαΐ μαΐου май мам \
     мамыр мая мај тра травень травня מאי مايو مه मई พ.ค พฤษภาคม",
    "birž birželio birželis cze czerwca czerwiec eka ekaina giu giugno haz haziran iun iunie iyun i̇yn \
     juin jun june junho juni junie junij junio juny juuni jún június júní jūn jūnijs kesä kesäkuu lipanj \
     lipnja meh mehefin meith meitheamh xuñ xuño čen červen června ιουν ιουνίου ιούν ιούνιος июн июнь \
     июня мау маусым чер червень червня чэр чэрвень чэрвеня юни јун јуни יונ יוני يونيو ژوئن जून มิ.ย \
     มิถุนายน",
    "gor gorffennaf heinä heinäkuu iul iulie iyul iúil i̇yl jui juil juillet jul julai julho juli julie \
     julij julio juliol july juuli júl július júlí jūl jūlijs liep liepa liepos lip lipca lipiec lug \
     luglio srpanj srpnja tem temmuz uzt uztaila xul xullo čec července červenec ιουλ ιουλίου ιούλ \
     ιούλιος июл июль июля лип липень липня ліп ліпень ліпеня шіл шілде юли јул јули יול יולי يوليو ژوئیه \
     जुलाई जुल॰ ก.ค กรกฎาคม",
    "abu abuztua ag ago agost agosto agu agustus aoû août aug august augusti augusts augustus augusztus \
     avg avgust avq avqust aws awst ağu ağustos d’ag d’agost elo elokuu kol kolovoz kolovoza lún lúnasa \
     ogos rugp rugpjūtis rugpjūčio sie sierpień sierpnia srp srpen srpna ágú ágúst αυγ αυγούστου αύγ \
     αύγουστος авг август августа жні жнівень жніўня сер серпень серпня там тамыз אוג אוגוסט أغسطس اوت \
     अगस्त अग॰ ส.ค สิงหาคม",
    "eyl eylül ira iraila med medi mfómh rugs rugsėjis rugsėjo ruj rujan rujna sen sentyabr sep sept \
     septembar september septembre septembrie septembris septiembre set setembre setembro settembre syys \
     syyskuu szept szeptember wrz wrzesień września zář září σεπ σεπτέμβριος σεπτεμβρίου вер верасень \
     верасня вересень вересня сен сентябрь сентября сеп септембар септември қыр қыркүйек ספט ספטמבר \
     سبتمبر سپتامبر सितंबर सित॰ ก.ย กันยายน",
    "dfómh d’oct d’octubre eki ekim hyd hydref loka lokakuu oct october octobre octombrie octubre okt \
     oktobar oktober oktobris oktoober oktyabr október ott ottobre out outubro paź październik \
     października spal spalio spalis urr urria říj říjen října οκτ οκτωβρίου οκτώβριος жов жовтень жовтня \
     кас кастрычнік кастрычніка окт октобар октомври октябрь октября қаз қазан אוק אוקטובר أكتوبر اكتبر \
     अक्तूबर अक्तू॰ ต.ค ตุลาคม",
    "aza azaroa kas kasım lapkr lapkritis lapkričio lis listopad listopada listopadu marras marraskuu \
     noiembrie nov novembar november novembre novembris novembro noviembre noy noyabr nóv nóvember samh \
     samhain stu studeni studenoga tach tachwedd νοέ νοέμβριος νοε νοεμβρίου лис листопад листопада ліс \
     лістапад лістапада нов новембар ное ноември ноя ноябрь ноября қар қараша נוב נובמבר نوامبر نوفمبر \
     नवंबर नव॰ พ.ย",
    "abe abendua ara aralık dec decembar december decembrie decembris decembro dek dekabr des desember \
     desembre dets detsember dez dezember dezembro dic dicembre diciembre dis disember déc décembre gru \
     grudnia grudzień gruod gruodis gruodžio joulu joulukuu noll nollaig pro prosinac prosinca prosince \
     prosinec rha rhagfyr δεκ δεκέμβριος δεκεμβρίου гру грудень грудня дек декабрь декабря декември дец \
     децембар жел желтоқсан сне снежань снежня דצמ דצמבר دسامبر ديسمبر दिसंबर दिस॰ ธ.ค ธันวาคม",
];

/// Weekdays in all of these languages.
pub(super) const WEEKDAYS: &str = "ahad ahd al an antradienis aoine ar asteartea asteazkena astelehena az baz ber c cax ceturtdiena cn \
     cs csütörtök cts cum cuma cumartesi czw czwartek céad cüm cümə dc dg di dienstag dijous dilluns dim \
     dimanche dimarts dimecres ding dingsdag dinsdag dissabte diumenge divendres dj dl do dom domenica \
     domh domingo donderdag donnerstag donneschdeg ds dt du duminică dunn dunnersdag dv déar déardaoin dë \
     dënschdeg e esmaspäev fim fimmtudagur fr fre fredag free freedag freideg freitag fri friday frí \
     fríggjadagur fös föstudagur gio giovedì gwe gwener h hétfő hós hósdagur iau ig igandea isn isnin jeu \
     jeudi jo joi jue jueves jum jumaat jumat k kam kamis ke kedd keskiviikko ketvirtadienis kha khamis \
     kolmapäev kt l la larunbata lau lauantai laugardagur laupäev laurdag ley leygardagur llu llun lr lu \
     luan lun lundi lunedì lunes luni luns lör lördag lø lør lørdag ma maan maanantai maandag man mandag \
     mar mardi martedì martes marți maw mawrth mer mercher mercoledì mercredi mi middeweek miercuri migg \
     mik mikudagur min minggu mittwoch mié miércoles mið miðvikudagur mo mon monday montag máirt mán \
     mánadagur mánudagur må mån måndag mé méindeg mér mércores më mëttwoch n ne ned nedelja nedeľa \
     nedjelja neděle neljapäev nie niedziela o og on ons onsdag or osteguna ostirala otrdiena p paz pazar \
     pazartesi pe penktadienis perjantai perşembe pet petak petek pi piatok piektdiena pirmadienis \
     pirmdiena pią piątek pk pn po pon pondelok pondělí ponedeljak ponedeljek ponedjeljak poniedziałek pr \
     prş pzt pá pátek péntek pühapäev qua quarta qui quinta r rab rabu reede s sa sab sabato sabtu sad \
     sadwrn sal salı sam samedi samschdeg samstag sat saterdag sath saturday sb sdag seg segunda \
     sekmadienis sel selasa sen senin sestdiena sex sexta sk so sob sobota sondag sonndeg sonntag sre \
     sreda sri srijeda st streda středa su sub subota sul sun sundag sunday sunnudagur sunnuntai sv svd \
     svētdiena sze szerda szo szombat sáb sábado sâmbătă sön söndag sø søn søndag sünnavend sünndag t \
     teisipäev ter terça thu thursday ti tiistai tir tirsdag tis tisdag to tor torek torsdag torstai tr \
     trečiadienis trešdiena tue tuesday ty tysdag týs týsdagur ut uto utorak utorok v vasárnap ven \
     vendredi venerdì venres vi vie viernes vineri vr vrijdag vrydag wed wednesday wo woensdag wto wtorek \
     xov xoves za zaterdag zo zondag çarşamba çax çrş çər çərşənbə út úterý þri þriðjudagur čet četrtek \
     četvrtak čt čtvrtek śro środa şnb şənbə šeštadienis št štvrtok δευ δευτέρα κυρ κυριακή πέμπτη παρ \
     παρασκευή πεμ σάββατο σαβ τετ τετάρτη τρίτη τρι аўт аўторак бейсенбі бс воскресенье вс вт вто \
     вторник вівторок дс дүйсенбі жексенбі жк жм жұма нд нед недела неделя недеља неділя няд нядзеля \
     п'ятниця пан панядзелак пет петак петок петък пн пон понеделник понедельник понедељак понеділок пт \
     пят пятница пятніца саб сабота сб сейсенбі сенбі серада середа ср срд сре среда сряда сс суб суббота \
     субота събота сәрсенбі уто уторак чацвер чет четвер четверг четвртак четврток четвъртък чт чцв א' ב' \
     ג' ד' ה' ו' חמישי ראשון רביעי ש' שבת שישי שלישי שני الأحد الأربعاء الإثنين الثلاثاء الجمعـة الخميس \
     السبت ث ج جمعه ح خ دوشنبه ر س سه‌شنبه شنبه ن پنجشنبه چهارشنبه یکشنبه गुरु गुरुवार बुध बुधवार मंगल \
     मंगलवार रवि रविवार शनि शनिवार शुक्र शुक्रवार सोम सोमवार จ จันทร์ พ พฤ พฤหัสบดี พุธ ศ ศุกร์ ส อ \
     อังคาร อา อาทิตย์ เสาร์";
