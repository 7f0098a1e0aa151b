%%% @doc The forms of commands (XEP-0004), in the language of the reader. Which fields a stage has is decided
%%% in the core; here they get their words, and the values that are there already.
-module(twitter_form).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([draw/3]).

%% Of so many of his newest posts one chooses; so many muted friends are named.
-define(CHOICE, 20).

%% @doc What a reader is shown at a stage: a form, or a note that there is nothing to choose from. Refused if he
%% may not see what it is about.
-spec draw(twitter_reader:reader(), twitter_adhoc:row(), twitter_nif:stage()) ->
          {executing, twitter_nif:stage(), xdata()} | {completed, Notes :: [binary()], undefined | xdata()}.
draw(#{lang := Lang} = Reader, Row, Stage0) ->
    Stage = as_permitted(Reader, Stage0),
    case content(Reader, Row, Stage) of
        {nothing, Note} ->
            {completed, [text(Lang, Note)], undefined};
        #{title := Title, instructions := Instructions} = Content ->
            {Fields, _Actions} = twitter_nif:stage_form(Stage),
            {executing, Stage,
             %% In one element: some clients show the first one only.
             #xdata{type = form, title = text(Lang, Title),
                    instructions = [iolist_to_binary(lists:join(<<" ">>, [text(Lang, Line) || Line <- Instructions]))],
                    fields = [field(Lang, Field, Content) || Field <- Fields]}}
    end.

%% Who may not post can still delete.
as_permitted(Reader, {edit, {Id, true, Chosen}}) ->
    {edit, {Id, twitter_permit:may_post(Reader), Chosen}};
as_permitted(_Reader, Stage) ->
    Stage.

field(Lang, {Var, Type, IsRequired}, Content) ->
    Values = maps:get(values, Content, #{}),
    #xdata_field{var = Var, type = Type, required = IsRequired, label = text(Lang, label(Var)),
                 values = maps:get(Var, Values, []),
                 options = case Type of
                               'list-single' -> maps:get(options, Content);
                               _ -> []
                           end}.

label(<<"text">>) -> ?T("Text");
label(<<"delete">>) -> ?T("Delete this post");
label(<<"post">>) -> ?T("Post");
label(<<"friend">>) -> ?T("Friend");
label(<<"until">>) -> ?T("How long");
label(<<"date">>) -> ?T("Or until this date, such as 2030-12-31");
label(<<"pushes">>) -> ?T("Send me new posts at once");
label(<<"bodies">>) -> ?T("Send them as text, too, for clients that know no other way");
label(<<"catch_up">>) -> ?T("Send me what I missed when I come online").

%%% What stands in the forms

content(Reader, _Row, {post, {HasText, HasSettings}}) ->
    Settings = [settings_content(Reader) || HasSettings],
    Title = case HasText of
                true -> ?T("Post a message");
                false -> ?T("Settings")
            end,
    Optional = [?T("Without a text only the settings below are saved.") || HasText, HasSettings],
    #{title => Title,
      instructions => [audience(Reader) || HasText] ++ Optional
          ++ lists:append([Instructions || #{instructions := Instructions} <- Settings]),
      values => maps:from_list(lists:append([maps:to_list(Values) || #{values := Values} <- Settings]))};
content(Reader, _Row, choose_post) ->
    Mine = twitter_view:open(Reader, {stream, mine}),
    Option = fun(#{id := Id, at := At, payload := Payload}) ->
                     <<Day:10/binary, _/binary>> = xmpp_util:encode_timestamp(At),
                     #xdata_option{value = Id, label = <<Day/binary, ": ", (twitter_post:title(Payload))/binary>>}
             end,
    case twitter_items:page(Mine, {newest_first, first_page, ?CHOICE}, Option) of
        {[], _} -> {nothing, ?T("You have not posted anything.")};
        {[#xdata_option{value = Newest} | _] = Options, _} ->
            #{title => ?T("Edit or delete a post"), instructions => [?T("Which of your latest posts?")],
              options => Options, values => #{<<"post">> => [Newest]}}
    end;
content(Reader, Row, {edit, {Id, HasText, _}}) ->
    Payload = payload(Reader, Row, Id),
    Plain = [?T("This post is more than plain text: saved from here it is the text alone.")
             || HasText, not twitter_entry:is_plain(Payload)],
    Instructions = case HasText of
                       true -> [?T("Everybody who got the post gets the new text, or is told that it is deleted.") | Plain];
                       false -> [?T("You can delete this post, but not change it: you are not allowed to post here."),
                                 {<<"~ts">>, [twitter_post:title(Payload)]}]
                   end,
    #{title => ?T("Edit or delete a post"), instructions => Instructions,
      values => #{<<"text">> => lines(twitter_post:text(Payload)), <<"delete">> => [<<"0">>]}};
content(#{who := Who}, _Row, choose_friend) ->
    case twitter_roster:friends(Who) of
        [] -> {nothing, ?T("You have no friends here: contacts whose presence you see.")};
        Friends ->
            #{title => ?T("Mute a friend"), instructions => [?T("Whose posts?")],
              options => [#xdata_option{value = Friend, label = one_line(Name)} || {Friend, Name} <- Friends]}
    end;
content(#{jid := Jid, lang := Lang} = Reader, _Row, {mute, {Friend, _}}) ->
    #{friends := [{Friend, Name}]} = twitter_view:open(Reader, {stream, {friend, Friend}}),
    #{muted := Muted} = twitter_settings:get(Jid),
    Now = case lists:keyfind(Friend, 1, Muted) of
              {Friend, forever} -> [?T("His posts are muted.")];
              {Friend, Until} -> [{?T("His posts are muted until ~ts."), [moment(Until)]}];
              false -> []
          end,
    Options = [#xdata_option{value = Span, label = text(Lang, span(Span))}
               || Span <- twitter_nif:mute_spans(), Span =/= <<"unmute">> orelse Now =/= []],
    Default = case Now of
                  [] -> <<"day">>;
                  _ -> <<"unmute">>
              end,
    #{title => {?T("Mute ~ts"), [one_line(Name)]},
      instructions => Now ++ [?T("What a muted friend posts is not sent to you, and is not in FriendsStream. You find "
                                 "it below MyFriends.")],
      options => Options, values => #{<<"until">> => [Default]}};
content(Reader, _Row, settings) ->
    (settings_content(Reader))#{title => ?T("Settings")}.

settings_content(#{jid := Jid}) ->
    #{pushes := Pushes, bodies := Bodies, catch_up := CatchUp, muted := Muted} = twitter_settings:get(Jid),
    #{instructions => [?T("The settings are for all your devices.")
                      | [{?T("Muted: ~ts"), [some([Friend || {Friend, _} <- Muted])]} || Muted =/= []]],
      values => #{<<"pushes">> => [boolean(Pushes)], <<"bodies">> => [boolean(Bodies)],
                  <<"catch_up">> => [boolean(CatchUp)]}}.

some(Friends) when length(Friends) > ?CHOICE -> [some(lists:sublist(Friends, ?CHOICE)), <<", …"/utf8>>];
some(Friends) -> lists:join(<<", ">>, Friends).

%% Some clients show nothing after a form: so it says beforehand what will happen.
audience(#{jid := Jid}) ->
    case twitter_roster:count_readers(Jid) of
        0 -> ?T("Nobody sees your presence at the moment: only your own devices get what you post.");
        1 -> ?T("What you post goes at once to the one contact who sees your presence.");
        Count -> {?T("What you post goes at once to the ~b contacts who see your presence."), [Count]}
    end.

%% Of a row the post has been found already.
payload(_Reader, #{reader := Reader, post := Post}, _Id) -> payload(Reader, Post);
payload(Reader, none, Id) ->
    #{post := Post} = twitter_view:open(Reader, {post, {mine, Id}}),
    payload(Reader, Post).

payload(#{service := Service, lang := Lang} = Reader, Post) ->
    case twitter_index:read(Service, twitter_reader:local_name(Reader), [Post]) of
        [{_Bytes, #{payload := Payload}}] -> Payload;
        [gone] -> twitter_error:refuse(not_found, Lang)
    end.

span(<<"hour">>) -> ?T("For an hour");
span(<<"day">>) -> ?T("For a day");
span(<<"week">>) -> ?T("For a week");
span(<<"month">>) -> ?T("For 30 days");
span(<<"forever">>) -> ?T("For ever");
span(<<"unmute">>) -> ?T("Not any longer").

%%% Words

text(Lang, {Format, Args}) -> str:translate_and_format(Lang, Format, Args);
text(Lang, Text) -> translate:translate(Lang, Text).

one_line(Name) -> twitter_nif:title({text, Name}).

lines(Text) -> binary:split(Text, <<"\n">>, [global]).

boolean(true) -> <<"1">>;
boolean(false) -> <<"0">>.

moment(Micros) ->
    xmpp_util:encode_timestamp({Micros div 1_000_000_000_000, Micros div 1_000_000 rem 1_000_000, 0}).
