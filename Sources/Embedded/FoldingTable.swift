// Letters and what they are searched by: lower case, without marks.
//
// Generated from Unicode 15 for Latin, Greek and Cyrillic: the lower case of each letter's
// canonical decomposition without its marks, and for letters that do not decompose the usual
// spelling. A change of the table is a new version: what was indexed is indexed anew.

/// What letters are searched by.
enum FoldingTable {
    /// Counts changes of the table.
    static let version = 1

    /// Folded form, blank, the letters that fold to it; entries are separated by commas.
    private static let text = """
        a ÀÁÂÃÄÅàáâãäåĀāĂăĄąǍǎǞǟǠǡǺǻȀȁȂȃȦȧḀḁẠạẢảẤấẦầẨẩ, a ẪẫẬậẮắẰằẲẳẴẵẶặ, ae ÆæǢǣǼǽ,
        b ƀƁɃḂḃḄḅḆḇ, c ÇçĆćĈĉĊċČčḈḉ, d ÐðĎďĐđƉḊḋḌḍḎḏḐḑḒḓ, dz ǄǅǆǱǲǳ,
        e ÈÉÊËèéêëĒēĔĕĖėĘęĚěȄȅȆȇȨȩḔḕḖḗḘḙḚḛḜḝẸẹẺẻẼẽẾếỀề, e ỂểỄễỆệ, f ƑƒḞḟ, g ĜĝĞğĠġĢģǦǧǴǵḠḡ,
        h ĤĥĦħȞȟḢḣḤḥḦḧḨḩḪḫẖ, i ÌÍÎÏìíîïĨĩĪīĬĭĮįİıƗǏǐȈȉȊȋḬḭḮḯỈỉỊị, ij Ĳĳ, j ĴĵǰɈɉ,
        k ĶķĸǨǩḰḱḲḳḴḵ, l ĹĺĻļĽľĿŀŁłƚȽḶḷḸḹḺḻḼḽ, lj Ǉǈǉ, m ḾḿṀṁṂṃ, n ÑñŃńŅņŇňŉŊŋǸǹṄṅṆṇṈṉṊṋ,
        nj Ǌǋǌ, o ÒÓÔÕÖØòóôõöøŌōŎŏŐőƠơǑǒǪǫǬǭǾǿȌȍȎȏȪȫȬȭȮȯȰȱṌṍṎṏ,
        o ṐṑṒṓỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợ, oe Œœ, p ṔṕṖṗ, r ŔŕŖŗŘřȐȑȒȓɌɍṘṙṚṛṜṝṞṟ,
        s ŚśŜŝŞşŠšſȘșṠṡṢṣṤṥṦṧṨṩẛ, ss ßẞ, t ŢţŤťŦŧȚțṪṫṬṭṮṯṰṱẗ, th Þþ,
        u ÙÚÛÜùúûüŨũŪūŬŭŮůŰűŲųƯưǓǔǕǖǗǘǙǚǛǜȔȕȖȗṲṳṴṵṶṷṸṹ, u ṺṻỤụỦủỨứỪừỬửỮữỰự, v ṼṽṾṿ,
        w ŴŵẀẁẂẃẄẅẆẇẈẉẘ, x ẊẋẌẍ, y ÝýÿŶŷŸȲȳɎɏẎẏẙỲỳỴỵỶỷỸỹ, z ŹźŻżŽžƵƶẐẑẒẓẔẕ, ƃ Ƃ, ƅ Ƅ, ƈ Ƈ,
        ƌ Ƌ, ƕ Ƕ, ƙ Ƙ, ƞ Ƞ, ƣ Ƣ, ƥ Ƥ, ƨ Ƨ, ƭ Ƭ, ƴ Ƴ, ƹ Ƹ, ƽ Ƽ, ƿ Ƿ, ǝ Ǝ, ǥ Ǥ, ȝ Ȝ, ȣ Ȣ, ȥ Ȥ,
        ȼ Ȼ, ɂ Ɂ, ɇ Ɇ, ɋ Ɋ, ɔ Ɔ, ɗ Ɗ, ə Ə, ɛ Ɛ, ɠ Ɠ, ɣ Ɣ, ɩ Ɩ, ɯ Ɯ, ɲ Ɲ, ɵ Ɵ, ʀ Ʀ, ʃ Ʃ, ʈ Ʈ,
        ʉ Ʉ, ʊ Ʊ, ʋ Ʋ, ʌ Ʌ, ʒ ƷǮǯ, ʹ ʹ, ͱ Ͱ, ͳ Ͳ, ͷ Ͷ, ͻ Ͻ, ͼ Ͼ, ͽ Ͽ,
        α ΆΑάἀἁἂἃἄἅἆἇἈἉἊἋἌἍἎἏὰάᾀᾁᾂᾃᾄᾅᾆᾇᾈᾉᾊᾋᾌᾍᾎᾏᾰᾱᾲᾳᾴᾶᾷ, α ᾸᾹᾺΆᾼ, β Β, γ Γ, δ Δ,
        ε ΈΕέἐἑἒἓἔἕἘἙἚἛἜἝὲέῈΈ, ζ Ζ, η ΉΗήἠἡἢἣἤἥἦἧἨἩἪἫἬἭἮἯὴήᾐᾑᾒᾓᾔᾕᾖᾗᾘᾙᾚᾛᾜᾝᾞᾟῂῃῄῆῇῊΉ, η ῌ,
        θ Θϴ, ι ΊΐΙΪίϊἰἱἲἳἴἵἶἷἸἹἺἻἼἽἾἿὶίιῐῑῒΐῖῗῘῙῚΊ, κ Κ, λ Λ, μ Μ, ν Ν, ξ Ξ,
        ο ΌΟόὀὁὂὃὄὅὈὉὊὋὌὍὸόῸΌ, π Π, ρ ΡῤῥῬ, σ Σς, τ Τ, υ ΎΥΫΰϋύὐὑὒὓὔὕὖὗὙὛὝὟὺύῠῡῢΰῦῧῨῩῪΎ, φ Φ,
        χ Χ, ψ Ψ, ω ΏΩώὠὡὢὣὤὥὦὧὨὩὪὫὬὭὮὯὼώᾠᾡᾢᾣᾤᾥᾦᾧᾨᾩᾪᾫᾬᾭᾮᾯῲῳῴῶῷῺΏ, ω ῼ, ϒ ϓϔ, ϗ Ϗ, ϙ Ϙ, ϛ Ϛ,
        ϝ Ϝ, ϟ Ϟ, ϡ Ϡ, ϣ Ϣ, ϥ Ϥ, ϧ Ϧ, ϩ Ϩ, ϫ Ϫ, ϭ Ϭ, ϯ Ϯ, ϲ Ϲ, ϳ Ϳ, ϸ Ϸ, ϻ Ϻ, а АӐӑӒӓ, б Б,
        в В, г ЃГѓ, д Д, е ЀЁЕѐёӖӗ, ж ЖӁӂӜӝ, з ЗӞӟ, и ЍИЙйѝӢӣӤӥ, к ЌКќ, л Л, м М, н Н, о ОӦӧ,
        п П, р Р, с С, т Т, у ЎУўӮӯӰӱӲӳ, ф Ф, х Х, ц Ц, ч ЧӴӵ, ш Ш, щ Щ, ъ Ъ, ы ЫӸӹ, ь Ь,
        э ЭӬӭ, ю Ю, я Я, ђ Ђ, є Є, ѕ Ѕ, і ІЇї, ј Ј, љ Љ, њ Њ, ћ Ћ, џ Џ, ѡ Ѡ, ѣ Ѣ, ѥ Ѥ, ѧ Ѧ,
        ѩ Ѩ, ѫ Ѫ, ѭ Ѭ, ѯ Ѯ, ѱ Ѱ, ѳ Ѳ, ѵ ѴѶѷ, ѹ Ѹ, ѻ Ѻ, ѽ Ѽ, ѿ Ѿ, ҁ Ҁ, ҋ Ҋ, ҍ Ҍ, ҏ Ҏ, ґ Ґ,
        ғ Ғ, ҕ Ҕ, җ Җ, ҙ Ҙ, қ Қ, ҝ Ҝ, ҟ Ҟ, ҡ Ҡ, ң Ң, ҥ Ҥ, ҧ Ҧ, ҩ Ҩ, ҫ Ҫ, ҭ Ҭ, ү Ү, ұ Ұ, ҳ Ҳ,
        ҵ Ҵ, ҷ Ҷ, ҹ Ҹ, һ Һ, ҽ Ҽ, ҿ Ҿ, ӄ Ӄ, ӆ Ӆ, ӈ Ӈ, ӊ Ӊ, ӌ Ӌ, ӎ Ӎ, ӏ Ӏ, ӕ Ӕ, ә ӘӚӛ, ӡ Ӡ,
        ө ӨӪӫ, ӷ Ӷ, ӻ Ӻ, ӽ Ӽ, ӿ Ӿ, ԁ Ԁ, ԃ Ԃ, ԅ Ԅ, ԇ Ԇ, ԉ Ԉ, ԋ Ԋ, ԍ Ԍ, ԏ Ԏ, ԑ Ԑ, ԓ Ԓ, ԕ Ԕ,
        ԗ Ԗ, ԙ Ԙ, ԛ Ԛ, ԝ Ԝ, ԟ Ԟ, ԡ Ԡ, ԣ Ԣ, ԥ Ԥ, ԧ Ԧ, ԩ Ԩ, ԫ Ԫ, ԭ Ԭ, ԯ Ԯ, ỻ Ỻ, ỽ Ỽ, ỿ Ỿ, ⱥ Ⱥ,
        ⱦ Ⱦ,
        """

    /// Letter to folded form, for letters that change.
    static let letters: [Unicode.Scalar: String] = {
        var letters: [Unicode.Scalar: String] = [:]
        for entry in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
            let parts = entry.split(separator: " ")
            guard parts.count == 2 else { continue }
            for letter in parts[1].unicodeScalars { letters[letter] = String(parts[0]) }
        }
        return letters
    }()
}
