%%% @doc What people and admins do to a microblog without writing XML: posting, changing and deleting posts,
%%% muting friends, settings. Each goes the way of a client's own request: the same limits, sizes and errors.
-module(twitter_effect).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([carry_out/2, post/2, delete/2]).

%% @doc Does one thing that a command asks for, and says so to the reader.
-spec carry_out(twitter_reader:reader(), twitter_nif:effect()) -> Note :: binary().
carry_out(#{lang := Lang} = Reader, Effect) ->
    {Format, Args} = done(Reader, Effect),
    str:translate_and_format(Lang, Format, Args).

done(#{jid := Jid} = Reader, {post, Text}) ->
    _ = post(Reader, Text),
    case twitter_roster:count_readers(Jid) of
        0 -> {?T("Posted. At the moment nobody else sees your presence."), []};
        1 -> {?T("Posted to the one contact who sees your presence."), []};
        Count -> {?T("Posted to the ~b contacts who see your presence."), [Count]}
    end;
done(Reader, {replace, {Id, Text}}) ->
    ok = replace(Reader, Id, Text),
    {?T("The post has its new text."), []};
done(Reader, {delete, Id}) ->
    ok = delete(Reader, Id),
    {?T("The post is deleted."), []};
done(Reader, {mute, {Friend, Until}}) ->
    Name = friend(Reader, Friend),
    ok = twitter_settings:mute(Reader, Friend, Until),
    case Until of
        forever -> {?T("~ts is muted."), [Name]};
        Micros -> {?T("~ts is muted until ~ts."), [Name, moment(Micros)]}
    end;
done(Reader, {unmute, Friend}) ->
    Name = friend(Reader, Friend),
    ok = twitter_settings:unmute(Reader, Friend),
    {?T("~ts is not muted."), [Name]};
done(#{jid := Jid} = Reader, {set, {Pushes, Bodies, CatchUp}}) ->
    #{pushes := PushesNow, bodies := BodiesNow, catch_up := CatchUpNow} = twitter_settings:get(Jid),
    ok = twitter_settings:set(Reader, either(Pushes, PushesNow), either(Bodies, BodiesNow),
                              either(CatchUp, CatchUpNow)),
    {?T("Your settings are saved."), []}.

either(keep, Now) -> Now;
either(Wanted, _Now) -> Wanted.

%% His name, in one line; refused if he is no friend any more.
friend(Reader, Friend) ->
    #{friends := [{Friend, Name}]} = twitter_view:open(Reader, {stream, {friend, Friend}}),
    twitter_nif:title({text, Name}).

moment(Micros) ->
    xmpp_util:encode_timestamp({Micros div 1_000_000_000_000, Micros div 1_000_000 rem 1_000_000, 0}).

%% @doc Posts a text as an Atom entry; returns the id of the post.
-spec post(twitter_reader:reader(), Text :: binary()) -> Id :: binary().
post(#{jid := Author} = Reader, Text) ->
    Id = twitter_publish:new_id(),
    Now = erlang:timestamp(),
    publish(Reader, Id, [twitter_entry:new(Author, Id, Text, {Now, Now}) || not twitter_entry:is_blank(Text)]),
    Id.

%% Not a post that is deleted meanwhile: that would come back.
replace(#{jid := Author, name := Name, service := Service, lang := Lang} = Reader, Id, Text) ->
    twitter_writer:run(
      Service, Name,
      fun() ->
              #{post := Post} = twitter_view:open(Reader, {post, {mine, Id}}),
              case twitter_index:read(Service, Name, [Post]) of
                  [{_Bytes, #{at := Published, payload := Payload}}] ->
                      Times = {Published, erlang:timestamp()},
                      publish(Reader, Id, [twitter_entry:renewed(Payload, Author, Id, Text, Times)
                                           || not twitter_entry:is_blank(Text)]);
                  [gone] -> twitter_error:refuse(not_found, Lang)
              end
      end).

publish(Reader, Id, Payload) ->
    Request = #pubsub{publish = #ps_publish{node = mine(), items = [#ps_item{id = Id, sub_els = Payload}]}},
    _ = twitter_publish:publish(twitter_view:open(Reader, {stream, mine}), iq(Reader, Request)),
    ok.

%% @doc Deletes a post.
-spec delete(twitter_reader:reader(), Id :: binary()) -> ok.
delete(Reader, Id) ->
    Retract = #ps_retract{node = mine(), notify = true, items = [#ps_item{id = Id}]},
    _ = twitter_publish:retract(twitter_view:open(Reader, {stream, mine}), iq(Reader, #pubsub{retract = Retract})),
    ok.

mine() ->
    twitter_path:id({stream, mine}).

%% The request that a client would send.
iq(#{from := From, lang := Lang, service := #{host := Host}}, Request) ->
    #iq{type = set, id = twitter_publish:new_id(), from = From, to = jid:make(Host), lang = Lang,
        sub_els = [Request]}.
